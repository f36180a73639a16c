"""safetensors: the whole structure, as https://github.com/huggingface/safetensors#format has it, and a little stricter.

``N`` (8 bytes, little endian), a JSON header of N bytes, data. Accepted only if every tensor's span is exactly what its
shape and dtype need, and the spans together cover the data once, without a hole, an overlap or a byte left over.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, cast

import msgspec

from weighbridge.checkpoint.jsonfile import clip, read_json
from weighbridge.checkpoint.region import Malformed, Region

MAX_HEADER_BYTES = 100_000_000  # the format's own bound
MAX_TENSORS = 1_000_000
MAX_RANK = 64
MAX_ELEMENTS = 1 << 60

DTYPE_BITS = {
    "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
    "BOOL": 8, "U8": 8, "I8": 8,
    "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
    "I16": 16, "U16": 16, "F16": 16, "BF16": 16,
    "I32": 32, "U32": 32, "F32": 32,
    "I64": 64, "U64": 64, "F64": 64, "C64": 64,
}  # fmt: skip


class Tensor(msgspec.Struct, frozen=True, kw_only=True):
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


class SafetensorsFile(msgspec.Struct, frozen=True, kw_only=True):
    """The header: tensors in the order of their bytes, and the metadata."""

    tensors: tuple[Tensor, ...]
    metadata: dict[str, str]


def read_safetensors(region: Region) -> SafetensorsFile:
    """The header, once the whole structure holds. Reads the header only, never the data.

    Raises:
        Malformed: with the byte where it does not hold.
    """
    header_bytes = _header_size(region)
    header = region.part(8, header_bytes)
    if header.head(1) != b"{":
        raise Malformed("the header does not begin with {", at_byte=8)
    value = read_json(header, max_bytes=MAX_HEADER_BYTES)
    if not isinstance(value, dict):
        raise Malformed("the header is not a JSON object", at_byte=8)
    entries = cast("dict[str, Any]", value)
    metadata = _metadata(entries.pop("__metadata__", {}))
    if len(entries) > MAX_TENSORS:
        raise Malformed(f"{len(entries)} tensors, at most {MAX_TENSORS}", at_byte=8)
    tensors = _tensors(entries, header)
    ordered = sorted(tensors, key=lambda tensor: (tensor.begin, tensor.end))
    _check_cover(ordered, data_at=8 + header_bytes, data_bytes=region.size_bytes - 8 - header_bytes)
    return SafetensorsFile(tensors=tuple(ordered), metadata=metadata)


def count_elements(shape: Iterable[int]) -> int:
    """The product, at most a little over MAX_ELEMENTS: it stops multiplying there."""
    elements = 1
    for size in shape:
        elements *= size
        if elements > MAX_ELEMENTS:
            return MAX_ELEMENTS + 1
    return elements


def _header_size(region: Region) -> int:
    if region.size_bytes < 8:
        raise Malformed(f"truncated: {region.size_bytes} bytes, the header's size alone takes 8", at_byte=0)
    header_bytes = int.from_bytes(region.read(0, 8), "little")
    if header_bytes > MAX_HEADER_BYTES:
        raise Malformed(
            f"the header says it has {header_bytes} bytes, at most {MAX_HEADER_BYTES} are allowed", at_byte=0
        )
    if header_bytes > region.size_bytes - 8:
        left = region.size_bytes - 8
        raise Malformed(
            f"truncated: the header says it has {header_bytes} bytes, {left} are left in the file", at_byte=0
        )
    if header_bytes < 2:
        raise Malformed(f"the header has {header_bytes} bytes, too few for a JSON object", at_byte=0)
    return header_bytes


def _metadata(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        raise Malformed("__metadata__ is not an object", at_byte=8)
    entries = cast("dict[str, Any]", value)
    for key, text in entries.items():
        if not isinstance(text, str):
            raise Malformed(f"__metadata__ holds something other than text at {clip(key)}", at_byte=8)
    return entries


def _tensors(entries: dict[str, Any], header: Region) -> list[Tensor]:
    tensors: list[Tensor] = []
    for name, entry in entries.items():
        try:
            tensors.append(_tensor(name, entry))
        except Malformed as error:
            at_byte = header.start + max(header.read(0, header.size_bytes).find(json.dumps(name).encode()), 0)
            raise Malformed(f"tensor {clip(name)}: {error.message}", at_byte=at_byte) from error
    return tensors


def _tensor(name: str, entry: Any) -> Tensor:
    if not isinstance(entry, dict) or set(cast("dict[str, Any]", entry)) != {"dtype", "shape", "data_offsets"}:
        raise Malformed("must have dtype, shape and data_offsets, and nothing else")
    fields = cast("dict[str, Any]", entry)
    dtype, shape, offsets = fields["dtype"], fields["shape"], fields["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPE_BITS:
        raise Malformed(f"unknown dtype {clip(dtype)}")
    if not _are_counts(shape) or len(shape) > MAX_RANK:
        raise Malformed(f"the shape is not a list of at most {MAX_RANK} numbers")
    if not _are_counts(offsets) or len(offsets) != 2:
        raise Malformed("data_offsets is not two numbers")
    begin, end = offsets
    elements = count_elements(shape)
    if elements > MAX_ELEMENTS:
        raise Malformed(f"the shape has more than {MAX_ELEMENTS} elements")
    bits = elements * DTYPE_BITS[dtype]
    if bits % 8:
        raise Malformed(f"{elements} elements of {dtype} do not fill whole bytes")
    if end - begin != bits // 8:
        raise Malformed(f"data_offsets span {end - begin} bytes, shape and dtype need {bits // 8}")
    return Tensor(name=name, dtype=dtype, shape=tuple(shape), begin=begin, end=end)


def _are_counts(value: Any) -> bool:
    """Whether it is a list of numbers from 0 to 2^63 - 1."""
    return isinstance(value, list) and all(
        type(item) is int and 0 <= item < 1 << 63
        for item in cast("list[Any]", value)  # a bool is an int too
    )


def _check_cover(ordered: list[Tensor], *, data_at: int, data_bytes: int) -> None:
    covered = 0
    for tensor in ordered:
        if tensor.begin != covered:
            kind = "overlaps the tensor before it" if tensor.begin < covered else "leaves a hole before it"
            span = f"it begins at {tensor.begin}, covered is up to {covered}"
            raise Malformed(f"tensor {clip(tensor.name)} {kind}: {span}", at_byte=data_at + tensor.begin)
        covered = tensor.end
    if covered > data_bytes:
        needed = f"the tensors need {covered} bytes of data, the file has {data_bytes}"
        raise Malformed(f"truncated: {needed}", at_byte=data_at + data_bytes)
    if covered < data_bytes:
        raise Malformed(f"{data_bytes - covered} bytes of data belong to no tensor", at_byte=data_at + covered)
