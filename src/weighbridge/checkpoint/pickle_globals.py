"""The globals that a pickle of weights needs. An allow-list: what is not here is refused, whatever it does.

Sources: torch 2.x `torch/_weights_only_unpickler.py` and `torch/serialization.py`, numpy's `ndarray.__reduce__`. A
name is here only if calling it with any arguments that this walk lets through can do nothing but make a value.
"""

from __future__ import annotations

import re
from enum import StrEnum

import msgspec


class Makes(StrEnum):
    """What calling it gives; says which opcodes may fill it afterwards."""

    NOTHING = "nothing"  # not to be called: a type or constant that is only named
    VALUE = "value"
    DICT = "dict"
    LIST = "list"
    SET = "set"


class Allowed(msgspec.Struct, frozen=True, kw_only=True):
    """What may be done with an allowed global. ``state``: whether BUILD may set the state of what it made."""

    makes: Makes = Makes.VALUE
    state: bool = False


_STORAGES = (
    "DoubleStorage", "FloatStorage", "HalfStorage", "BFloat16Storage", "LongStorage", "IntStorage", "ShortStorage",
    "CharStorage", "ByteStorage", "BoolStorage", "ComplexFloatStorage", "ComplexDoubleStorage",
)  # fmt: skip
STORAGE_BYTES: dict[str, int] = dict(zip(_STORAGES, (8, 4, 2, 2, 8, 4, 2, 1, 1, 1, 8, 16), strict=True))

TORCH_DTYPE_BYTES = {
    "float64": 8, "float32": 4, "float16": 2, "bfloat16": 2, "int64": 8, "int32": 4, "int16": 2, "int8": 1, "uint8": 1,
    "uint16": 2, "uint32": 4, "uint64": 8, "bool": 1, "complex64": 8, "complex128": 16, "float8_e4m3fn": 1,
    "float8_e5m2": 1, "float8_e4m3fnuz": 1, "float8_e5m2fnuz": 1, "float8_e8m0fnu": 1,
}  # fmt: skip
_TORCH_NAMES = ("per_tensor_affine", "per_channel_affine", "strided")

_NAMED = Allowed(makes=Makes.NOTHING)

ALLOWED: dict[tuple[str, str], Allowed] = {
    ("collections", "OrderedDict"): Allowed(makes=Makes.DICT, state=True),  # a state dict carries _metadata as state
    ("collections", "defaultdict"): Allowed(makes=Makes.DICT),
    ("collections", "Counter"): Allowed(makes=Makes.DICT),
    ("torch._utils", "_rebuild_tensor"): Allowed(),
    ("torch._utils", "_rebuild_tensor_v2"): Allowed(),
    ("torch._utils", "_rebuild_tensor_v3"): Allowed(),
    ("torch._utils", "_rebuild_parameter"): Allowed(),
    ("torch._utils", "_rebuild_parameter_with_state"): Allowed(),
    ("torch", "Size"): Allowed(),
    ("torch", "device"): Allowed(),
    ("torch.storage", "UntypedStorage"): _NAMED,
    ("torch", "UntypedStorage"): _NAMED,
    ("torch.serialization", "_get_layout"): Allowed(),
    **{("torch", name): _NAMED for name in (*_STORAGES, *TORCH_DTYPE_BYTES, *_TORCH_NAMES)},
    ("_codecs", "encode"): Allowed(),  # how protocol 2 writes bytes; its arguments are checked
    ("numpy", "ndarray"): _NAMED,
    ("numpy", "dtype"): Allowed(state=True),
    **{
        (module, name): Allowed(state=name == "_reconstruct")
        for module in ("numpy.core.multiarray", "numpy._core.multiarray")
        for name in ("_reconstruct", "scalar")
    },
    **{
        (module, name): Allowed(makes=makes)
        for module in ("builtins", "__builtin__")
        for name, makes in {
            "set": Makes.SET, "frozenset": Makes.VALUE, "bytearray": Makes.VALUE, "complex": Makes.VALUE,
            "slice": Makes.VALUE, "list": Makes.NOTHING, "dict": Makes.NOTHING, "int": Makes.NOTHING,
            "float": Makes.NOTHING,  # the factories of a defaultdict
        }.items()
    },
}  # fmt: skip

_PLAIN_DTYPE = re.compile(r"[<>|=]?[?biufcSUVmM]\d{0,6}")
_MAX_BYTEARRAY = 1 << 20


def forbidden_arguments(module: str, name: str, arguments: tuple[object, ...]) -> str:
    """Why these arguments are not let through to this allowed global; empty when they are.

    ``arguments`` holds what the walk knows: numbers, text, tuples, and opaque marks for the rest.
    """
    first = arguments[0] if arguments else None
    if (module, name) == ("_codecs", "encode"):
        latin1 = len(arguments) == 2 and arguments[1] in ("latin1", "latin-1")
        return "" if latin1 else "with an encoding other than latin1"
    if (module, name) == ("numpy", "dtype"):
        # An object dtype makes numpy read the array's bytes as pointers, or as another pickle.
        plain = isinstance(first, str) and _PLAIN_DTYPE.fullmatch(first)
        return "" if plain else "with a dtype that is not plain numbers"
    if name == "bytearray" and isinstance(first, int) and first > _MAX_BYTEARRAY:
        return f"with a size of {first}"
    return ""
