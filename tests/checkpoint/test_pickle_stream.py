"""Pickles: only what weights need passes, every way to something else is refused with its byte."""

from __future__ import annotations

import collections
import pickle
import pickletools
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.checkpoint.made import number, region, state_dict, storage, tensor, text
from weighbridge.checkpoint import PickleReport, read_pickle
from weighbridge.checkpoint.pickle_opcodes import MAX_OPCODES

ALL_PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


class Calls:
    """Pickles as a call of a function; is never unpickled."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def walk(data: bytes) -> PickleReport:
    return read_pickle(region(data))


def reasons(data: bytes) -> str:
    report = walk(data)
    found = [refusal.reason for refusal in report.refused]
    return "; ".join(found + ([report.malformed.message] if report.malformed else []))


@pytest.mark.parametrize("protocol", ALL_PROTOCOLS)
@pytest.mark.parametrize(
    "value",
    [
        None,
        {"a": [1, 2.5, True, None], "b": ("x", b"y", 10**50, -1), 3: {4, 5}, "long": "z" * 100_000},
        collections.OrderedDict(a=1),
        collections.defaultdict(list, a=[1]),
        frozenset({1, 2}),
        bytearray(b"abc"),
        complex(1, 2),
        list(range(5_000)),
        b"x" * 200_000,
        {(1, "a"): (2, (3, (4,)))},
        ["é", "\ud800", "new\nline"],
    ],
)
def test_plain_values_pass(value: Any, protocol: int):
    data = pickle.dumps(value, protocol=protocol)
    report = walk(data)
    assert (report.refused, report.malformed, report.end) == ((), None, len(data))


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_numeric_arrays_pass(protocol: int):
    assert reasons(pickle.dumps({"w": np.zeros((4, 4), np.float32), "s": np.float64(1)}, protocol=protocol)) == ""


def test_a_state_dict_passes_and_names_its_storages():
    report = walk(state_dict(tensor(), tensor(storage("1", 8))))
    assert (report.refused, report.malformed) == ((), None)
    assert [(one.key, one.type_name, one.elements) for one in report.storages] == [
        ("0", "FloatStorage", 8),
        ("1", "FloatStorage", 8),
    ]


@pytest.mark.parametrize("protocol", ALL_PROTOCOLS)
@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (eval, ("1",)),
        (exec, ("1",)),
        (getattr, (1, "real")),
        (__import__, ("os",)),
        (pickle.loads, (b"N.",)),
        (np.load, ("x",)),
        (collections.namedtuple, ("x", "y")),
    ],
)
def test_a_call_is_refused_with_its_name_and_byte(function: Any, arguments: tuple[Any, ...], protocol: int):
    data = pickle.dumps({"weights": Calls(function, *arguments)}, protocol=protocol)
    report = walk(data)
    name = function.__name__
    assert any(refusal.reason.endswith(f".{name}'") for refusal in report.refused), report.refused
    opcodes = {at: opcode.name for opcode, _, at in pickletools.genops(data)}
    assert all(opcodes[refusal.at_byte] in ("GLOBAL", "STACK_GLOBAL") for refusal in report.refused)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"cos\nsystem\n(S'true'\ntR.", "names 'os.system'"),
        (b"(S'true'\nios\nsystem\n.", "names 'os.system'"),
        (b"(cos\nsystem\nS'true'\no.", "names 'os.system'"),
        (b"cos\nsystem\n)\x81.", "names 'os.system'"),
        (b"cos\nsystem\n)}\x92.", "names 'os.system'"),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93.", "names 'os.system'"),
        (b"\x80\x04\x8c\x02os\x940h\x00\x8c\x06system\x93.", "names 'os.system'"),
        (b"\x80\x04\x8c\x05torch\x8c\x10_utils._rebuild_\x93.", "names"),
        (b"\x80\x04\x8c\x0ccollections\x8c\x17OrderedDict.__init__.x\x93.", ""),
        (b"\x80\x04(\x8c\x02osl\x8c\x06system\x93.", "global whose name it computes"),
        (b"\x80\x04NN\x93.", "global whose name it computes"),
        (b"\x82\x01.", "by a number of the loader's registry"),
        (b"\x83\x01\x00.", "by a number of the loader's registry"),
        (b"\x84\x01\x00\x00\x00.", "by a number of the loader's registry"),
        (b"\x80\x05\x97.", "takes bytes from outside"),
        (b"ccollections\nOrderedDict\n)R)R.", "calls something that it computed"),
        (b"ctorch\nFloatStorage\n)R.", "calls torch.FloatStorage which is only to be named"),
        (b"ccollections\nOrderedDict\n}b.", "sets the state of"),
        (b"ccollections\ndefaultdict\n)R}b.", "sets the state of"),
        (b"}}b.", "sets the state of"),
        (b"Pid\n.", "names something outside of it"),
        (b"N\x51.", "names something outside of it"),
        (b"(" + text("storage") + text("x") + text("0") + text("cpu") + number(8) + b"tQ.", "names something outside"),
        (b"c_codecs\nencode\n(X\x01\x00\x00\x00aX\x04\x00\x00\x00zip_tR.", "an encoding other than latin1"),
        (b"cnumpy\ndtype\n(X\x02\x00\x00\x00O8K\x00K\x01tR.", "a dtype that is not plain numbers"),
        (b"cnumpy\ndtype\n()tR.", "a dtype that is not plain numbers"),
        (b"cbuiltins\nbytearray\n(J\xff\xff\xff\x7ftR.", "with a size of 2147483647"),
    ],
)
def test_refuses(data: bytes, reason: str):
    assert reason in reasons(data)
    assert reasons(data)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no STOP"),
        (b"N", "no STOP"),
        (b"\xff.", "unknown opcode ff"),
        (b".", "stack is empty"),
        (b"NN.", "1 values are left"),
        (b"(N.", "1 values are left"),
        (b"(.", "stack is empty"),
        (b"0.", "stack is empty"),
        (b"2.", "stack is empty"),
        (b"t.", "no mark"),
        (b"e.", "no mark"),
        (b"R.", "stack is empty"),
        (b"h\x05.", "memo 5 was never put"),
        (b"g5\n.", "memo 5 was never put"),
        (b"gfive\n.", "no place in the memo"),
        (b"Np-1\n.", "no place in the memo"),
        (b"Ifive\n.", "is no number"),
        (b"S'open\n.", "without quotes"),
        (b"S\n.", "without quotes"),
        (b"(No.", "calls something that it computed"),
        (b"(o.", "OBJ without a class"),
        (b"(N(d.", "a key without a value"[:0]),
        (b"(Nd.", "a key without a value"),
        (b"NNa.", "APPEND on something that is no list"),
        (b"NNNs.", "SETITEM on something that is no dict"),
        (b"](NNu.", "SETITEMS on something that is no dict"),
        (b"N(N\x90.", "ADDITEMS on something that is no set"),
        (b"\x80\x06N.", "protocol 6"),
        (b"N\x80\x02.", "PROTO after the first opcode"),
        (b"X\xff\xff\xff\xff", "truncated: BINUNICODE of 4294967295 bytes"),
        (b"\x8d" + b"\xff" * 8, "truncated: BINUNICODE8 of 18446744073709551615 bytes"),
        (b"T\xff\xff\xff\xff", "truncated: BINSTRING"),
        (b"X\x01\x00\x00\x00\xff.", "not valid UTF-8"),
        (b"\x8b\x00\x20\x00\x00" + bytes(8192) + b".", "a number of 8192 bytes"),
        (b"I" + b"1" * 1_100_000 + b"\n.", "a line of more than"),
        (b"\x80\x04\x95\xff\x00\x00\x00\x00\x00\x00\x00N.", "truncated: a frame"),
        (b"\x80\x04\x95\x02\x00\x00\x00\x00\x00\x00\x00X\x01\x00\x00\x00aN.", "straddles"),
        (b"\x80\x04\x95\x0c\x00\x00\x00\x00\x00\x00\x00N\x95\x01\x00\x00\x00\x00\x00\x00\x00N.", "inside a frame"),
    ],
)
def test_broken(data: bytes, reason: str):
    report = walk(data)
    assert report.malformed is not None or report.refused
    assert reason in reasons(data)


def test_keys_nested_deep_are_refused():
    """Hashing such a key takes time exponential in its depth."""
    assert "nested too deeply" in reasons(b"}" + b")" + b"2\x86" * 40 + b"Ns.")


def test_a_storage_of_two_sizes_is_refused():
    assert "named twice" in reasons(state_dict(tensor(storage("0", 8)), tensor(storage("0", 9))))


def test_trailing_bytes_are_not_read():
    report = walk(b"N." + b"cos\nsystem\n.")
    assert (report.end, report.refused, report.malformed) == (2, (), None)


def test_every_refused_global_is_listed():
    data = pickle.dumps([Calls(eval, "1"), Calls(exec, "2"), Calls(eval, "3")], protocol=2)
    assert reasons(data).count("names") == 2 or reasons(data).count("names") == 3


def test_a_gadget_split_over_memo_and_stack_is_refused():
    data = b"\x80\x04\x8c\x08builtins\x94\x8c\x04eval\x9400h\x00h\x01\x93\x8c\x011\x85R."
    assert reasons(data) == "names 'builtins.eval'"


def test_opcodes_are_bounded():
    report = walk(b"N0" * (MAX_OPCODES // 2 + 1))
    assert report.malformed is not None
    assert "more than" in report.malformed.message


def test_refusals_are_bounded():
    report = walk(b"".join(b"cos\nsystem%d\n" % at for at in range(1_000)) + b"t.")
    assert len(report.refused) == 100


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=80))
def test_any_bytes_give_a_report(data: bytes):
    report = walk(data)
    assert 0 <= report.end <= len(data)
    assert report.malformed is None or report.malformed.at_byte is not None


SEEDS = [
    state_dict(),
    pickle.dumps({"a": [1, (2, 3)], "b": {4}}, protocol=4),
    pickle.dumps(collections.OrderedDict(x=np.zeros(3)), protocol=2),
    pickle.dumps({"x": Calls(eval, "1")}, protocol=4),
]


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(SEEDS), st.integers(0, 500), st.binary(min_size=1, max_size=4))
def test_a_changed_byte_gives_a_report(seed: bytes, position: int, patch: bytes):
    data = bytearray(seed)
    position %= len(data)
    data[position : position + len(patch)] = patch
    walk(bytes(data))


OPCODES = [info.code.encode("latin-1") for info in pickletools.opcodes]


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(OPCODES) | st.just(b"K\x01") | st.just(b"\x8c\x02os") | st.just(b"cos\nsystem\n")))
def test_nothing_that_names_a_forbidden_global_passes(parts: list[bytes]):
    data = b"".join(parts) + b"."
    report = walk(data)
    if report.malformed is None and not report.refused:
        assert all(name.split(".")[0] not in ("os", "builtins") for name in report.globals)


def test_long_arguments_are_not_kept():
    data = b"\x8d" + struct.pack("<Q", 1 << 20) + b"x" * (1 << 20) + b"."
    assert walk(data).malformed is None
