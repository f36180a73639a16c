"""GGUF: the whole structure, of versions 2 and 3 in little endian.

https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

from typing import Any

import msgspec

from weighbridge.checkpoint.jsonfile import clip
from weighbridge.checkpoint.region import Cursor, Malformed, Region
from weighbridge.checkpoint.safetensors import MAX_ELEMENTS, count_elements

MAX_ENTRIES = 1_000_000  # key-value pairs; tensors
MAX_ARRAY = 1 << 24
MAX_NAME_BYTES = 65_535
MAX_TEXT_BYTES = 4 << 20
MAX_KEPT_BYTES = 64 << 20  # names and texts together
MAX_RANK = 4

# Value types: 0 u8, 1 i8, 2 u16, 3 i16, 4 u32, 5 i32, 6 f32, 7 bool, 8 string, 9 array, 10 u64, 11 i64, 12 f64
_WIDTH = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_UNSIGNED = {0, 2, 4, 10}
_BOOL, _STRING, _ARRAY = 7, 8, 9

# Tensor type: name, elements a block, bytes a block (ggml.c, type_traits). Without Q8_1: it exists in memory only.
BLOCKS = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98), 19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110), 22: ("IQ2_S", 256, 82), 23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1), 25: ("I16", 1, 2), 26: ("I32", 1, 4), 27: ("I64", 1, 8), 28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56), 30: ("BF16", 1, 2), 34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66), 39: ("MXFP4", 32, 17),
}  # fmt: skip


class GgufTensor(msgspec.Struct, frozen=True, kw_only=True):
    """One tensor. ``begin`` and ``end`` (exclusive) count from the start of the data."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int

    @property
    def elements(self) -> int:
        """The product of the shape."""
        return count_elements(self.shape)


class GgufFile(msgspec.Struct, frozen=True, kw_only=True):
    """What the file says: single values of its metadata (of an array only its length), and its tensors."""

    version: int
    metadata: dict[str, Any]
    array_lengths: dict[str, int]
    tensors: tuple[GgufTensor, ...]


def read_gguf(region: Region) -> GgufFile:
    """The metadata and tensors, once every offset is inside the file. Reads no tensor data.

    Raises:
        Malformed: with the byte where it does not hold.
    """
    cursor = Cursor(region)
    if cursor.take(4) != b"GGUF":
        raise Malformed("does not begin with GGUF", at_byte=0)
    version = cursor.unsigned(4)
    if version not in (2, 3):
        raise Malformed(f"version {version}; 2 and 3 (little endian) are read", at_byte=4)
    tensor_count = _count(cursor, "tensors", least_bytes=24)
    value_count = _count(cursor, "metadata values", least_bytes=13)
    metadata, lengths = _read_metadata(cursor, value_count)
    alignment = metadata.get("general.alignment", 32)
    if type(alignment) is not int or not 8 <= alignment <= 1 << 16 or alignment & (alignment - 1):
        raise Malformed(f"general.alignment is {clip(alignment)}, not a power of two", at_byte=cursor.at_byte)
    tensors = _read_tensors(cursor, tensor_count, alignment)
    data_at = _align(cursor.position, alignment)
    if tensors:
        _check_cover(tensors, data_at=data_at, data_bytes=region.size_bytes - data_at, alignment=alignment)
    elif cursor.left > alignment:
        raise Malformed(f"{cursor.left} bytes belong to no tensor", at_byte=cursor.at_byte)
    return GgufFile(version=version, metadata=metadata, array_lengths=lengths, tensors=tuple(tensors))


def _count(cursor: Cursor, what: str, *, least_bytes: int) -> int:
    at_byte = cursor.at_byte
    count = cursor.unsigned(8)
    if count > MAX_ENTRIES or count * least_bytes > cursor.left:
        raise Malformed(f"{count} {what} cannot be in {cursor.left} bytes", at_byte=at_byte)
    return count


def _text(cursor: Cursor, *, max_bytes: int) -> str:
    at_byte = cursor.at_byte
    size = cursor.unsigned(8)
    if size > max_bytes:
        raise Malformed(f"a text of {size} bytes, at most {max_bytes}", at_byte=at_byte)
    try:
        return cursor.take(size).decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed("a text is not valid UTF-8", at_byte=at_byte + 8 + error.start) from error


def _read_metadata(cursor: Cursor, count: int) -> tuple[dict[str, Any], dict[str, int]]:
    metadata: dict[str, Any] = {}
    lengths: dict[str, int] = {}
    kept = 0
    for _ in range(count):
        at_byte = cursor.at_byte
        key = _text(cursor, max_bytes=MAX_NAME_BYTES)
        if key in metadata or key in lengths:
            raise Malformed(f"the key {clip(key)} occurs twice", at_byte=at_byte)
        kind = cursor.unsigned(4)
        if kind == _ARRAY:
            lengths[key] = _skip_array(cursor)
        else:
            metadata[key] = _value(cursor, kind)
        kept += len(key) + (len(metadata[key]) if kind == _STRING else 0)
        if kept > MAX_KEPT_BYTES:
            raise Malformed(f"more than {MAX_KEPT_BYTES} bytes of names and texts", at_byte=at_byte)
    return metadata, lengths


def _value(cursor: Cursor, kind: int) -> Any:
    at_byte = cursor.at_byte
    if kind == _STRING:
        return _text(cursor, max_bytes=MAX_TEXT_BYTES)
    if kind not in _WIDTH:
        raise Malformed(f"unknown value type {kind}", at_byte=at_byte - 4)
    data = cursor.take(_WIDTH[kind])
    if kind == _BOOL:
        if data not in (b"\0", b"\1"):
            raise Malformed("a truth value is neither 0 nor 1", at_byte=at_byte)
        return data == b"\1"
    if kind in (6, 12):
        return msgspec.UNSET  # real numbers are of no use to any rule
    return int.from_bytes(data, "little", signed=kind not in _UNSIGNED)


def _skip_array(cursor: Cursor) -> int:
    at_byte = cursor.at_byte
    kind = cursor.unsigned(4)
    length = cursor.unsigned(8)
    if length > MAX_ARRAY:
        raise Malformed(f"an array of {length} items, at most {MAX_ARRAY}", at_byte=at_byte + 4)
    if kind in _WIDTH:
        cursor.skip(length * _WIDTH[kind])
    elif kind == _STRING:
        if length * 8 > cursor.left:
            raise Malformed(f"truncated: {length} texts are not in {cursor.left} bytes", at_byte=at_byte + 4)
        for _ in range(length):
            cursor.skip(cursor.unsigned(8))
    else:  # arrays of arrays: the format allows them, nobody writes them
        raise Malformed(f"an array of values of type {kind}", at_byte=at_byte)
    return length


def _read_tensors(cursor: Cursor, count: int, alignment: int) -> list[GgufTensor]:
    names: set[str] = set()
    tensors: list[GgufTensor] = []
    kept = 0
    for _ in range(count):
        at_byte = cursor.at_byte
        name = _text(cursor, max_bytes=MAX_NAME_BYTES)
        if name in names:
            raise Malformed(f"tensor {clip(name)} occurs twice", at_byte=at_byte)
        names.add(name)
        kept += len(name)
        if kept > MAX_KEPT_BYTES:
            raise Malformed(f"more than {MAX_KEPT_BYTES} bytes of names", at_byte=at_byte)
        try:
            tensors.append(_tensor(cursor, name, alignment))
        except Malformed as error:
            raise Malformed(f"tensor {clip(name)}: {error.message}", at_byte=error.at_byte or at_byte) from error
    return tensors


def _tensor(cursor: Cursor, name: str, alignment: int) -> GgufTensor:
    at_byte = cursor.at_byte
    rank = cursor.unsigned(4)
    if rank > MAX_RANK:
        raise Malformed(f"{rank} dimensions, at most {MAX_RANK}", at_byte=at_byte)
    shape = tuple(cursor.unsigned(8) for _ in range(rank))
    kind, begin = cursor.unsigned(4), cursor.unsigned(8)
    if kind not in BLOCKS:
        raise Malformed(f"unknown tensor type {kind}", at_byte=at_byte)
    dtype, block_elements, block_bytes = BLOCKS[kind]
    elements = count_elements(shape)
    if elements > MAX_ELEMENTS:
        raise Malformed(f"more than {MAX_ELEMENTS} elements", at_byte=at_byte)
    if (shape[0] if shape else 1) % block_elements:
        raise Malformed(f"rows are not whole blocks of {block_elements} ({dtype})", at_byte=at_byte)
    if begin % alignment:
        raise Malformed(f"offset {begin} is not a multiple of {alignment}", at_byte=at_byte)
    return GgufTensor(
        name=name, dtype=dtype, shape=shape, begin=begin, end=begin + elements // block_elements * block_bytes
    )


def _check_cover(tensors: list[GgufTensor], *, data_at: int, data_bytes: int, alignment: int) -> None:
    covered = 0
    for tensor in sorted(tensors, key=lambda tensor: (tensor.begin, tensor.end)):
        if tensor.begin != _align(covered, alignment):
            kind = "overlaps the tensor before it" if tensor.begin < covered else "leaves a hole before it"
            raise Malformed(f"tensor {clip(tensor.name)} {kind}", at_byte=data_at + tensor.begin)
        covered = tensor.end
    if covered > data_bytes:
        needed = f"the tensors need {covered} bytes of data, the file has {max(data_bytes, 0)}"
        raise Malformed(f"truncated: {needed}", at_byte=data_at + max(data_bytes, 0))
    if data_bytes > _align(covered, alignment):
        raise Malformed(f"{data_bytes - covered} bytes of data belong to no tensor", at_byte=data_at + covered)


def _align(offset: int, alignment: int) -> int:
    return (offset + alignment - 1) // alignment * alignment
