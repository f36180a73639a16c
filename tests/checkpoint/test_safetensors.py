"""safetensors: what the library writes is accepted, everything that does not hold is refused at its byte."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from tests.checkpoint.made import region, safetensors
from weighbridge.checkpoint import Malformed, read_safetensors
from weighbridge.checkpoint.safetensors import DTYPE_BITS

KEYS = st.sampled_from(["dtype", "shape", "data_offsets", "__metadata__", "t"])


def entry(dtype: Any = "F32", shape: Any = (2,), offsets: Any = (0, 8)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def test_reads_what_the_library_writes():
    arrays = {"w": np.zeros((3, 5), np.float32), "e": np.zeros((0, 4), np.float16), "n": np.array(7, np.int64)}
    content = read_safetensors(region(save(arrays, metadata={"format": "np"})))
    assert {tensor.name: (tensor.dtype, tensor.shape) for tensor in content.tensors} == {
        "w": ("F32", (3, 5)),
        "e": ("F16", (0, 4)),
        "n": ("I64", ()),
    }
    assert content.metadata == {"format": "np"}
    assert sum(tensor.elements for tensor in content.tensors) == 16


@pytest.mark.parametrize("dtype", DTYPE_BITS)
def test_every_dtype(dtype: str):
    size = DTYPE_BITS[dtype]
    content = read_safetensors(region(safetensors({"t": entry(dtype, [8], [0, size])}, bytes(size))))
    assert content.tensors[0].elements == 8


def test_a_header_may_end_in_spaces():
    header = json.dumps({"t": entry()}).encode()
    assert read_safetensors(region(safetensors(header=header + b"     ", data=bytes(8)))).tensors


@pytest.mark.parametrize(
    ("data", "reason", "at_byte"),
    [
        (b"", "truncated: 0 bytes", 0),
        (b"\0" * 7, "truncated: 7 bytes", 0),
        ((1 << 32).to_bytes(8, "little") + b"{}", "header says it has 4294967296 bytes, at most 100000000", 0),
        ((2**64 - 1).to_bytes(8, "little") + b"{}", "header says it has 18446744073709551615 bytes", 0),
        ((99_000_000).to_bytes(8, "little") + b"{}", "truncated: the header says it has 99000000 bytes, 2 are left", 0),
        (safetensors()[:60], "truncated: the header says", 0),
        (safetensors()[:-1], "truncated: the tensors need 40 bytes of data, the file has 39", None),
        (safetensors() + b"\0", "1 bytes of data belong to no tensor", None),
        (safetensors(header=b"1"), "too few", 0),
        (safetensors(header=b" {}"), "does not begin with {", 8),
        (safetensors(header=b"{}{}"), "Extra data", 10),
        (safetensors(header=b'{"a'), "not valid JSON", None),
        (safetensors(header=b'{"\xff": 1}'), "not valid UTF-8", 10),
        (safetensors(header=b'{"a": ' + b"[" * 100_000), "nested too deeply", 8),
        (safetensors(header=b'{"t": 1, "t": 2}'), "'t' occurs twice", None),
        (safetensors({"__metadata__": []}, b""), "__metadata__ is not an object", 8),
        (safetensors({"__metadata__": {"a": 1}}, b""), "something other than text", 8),
        (safetensors({"t": 1}, b""), "must have dtype, shape and data_offsets", None),
        (safetensors({"t": {**entry(), "more": 1}}, bytes(8)), "and nothing else", None),
        (safetensors({"t": {"dtype": "F32", "shape": [2]}}, bytes(8)), "must have", None),
        (safetensors({"t": entry(dtype="F33")}, bytes(8)), "unknown dtype 'F33'", None),
        (safetensors({"t": entry(dtype=32)}, bytes(8)), "unknown dtype", None),
        (safetensors({"t": entry(dtype=[])}, bytes(8)), "unknown dtype", None),
        (safetensors({"t": entry(shape=[-2])}, bytes(8)), "shape is not", None),
        (safetensors({"t": entry(shape=[2.0])}, bytes(8)), "shape is not", None),
        (safetensors({"t": entry(shape=[True, 2])}, bytes(8)), "shape is not", None),
        (safetensors({"t": entry(shape=2)}, bytes(8)), "shape is not", None),
        (safetensors({"t": entry(shape=[1] * 65)}, bytes(8)), "shape is not", None),
        (safetensors({"t": entry(shape=[2**32, 2**32])}, bytes(8)), "more than", None),
        (safetensors({"t": entry(shape=[2**62, 2**62, 0], offsets=[0, 0])}, b""), "more than", None),
        (safetensors({"t": entry(shape=[2**64 + 2])}, bytes(8)), "shape is not", None),
        (safetensors({"t": entry(offsets=[0, 8, 9])}, bytes(8)), "data_offsets is not two numbers", None),
        (safetensors({"t": entry(offsets=[8, 0])}, bytes(8)), "data_offsets span -8 bytes", None),
        (safetensors({"t": entry(offsets=[0, 7])}, bytes(8)), "span 7 bytes, shape and dtype need 8", None),
        (safetensors({"t": entry("F4", [3], [0, 2])}, bytes(2)), "do not fill whole bytes", None),
        (safetensors({"a": entry(), "b": entry(offsets=[4, 12])}, bytes(12)), "'b' overlaps the tensor before", None),
        (safetensors({"a": entry(), "b": entry()}, bytes(8)), "overlaps", None),
        (safetensors({"a": entry(), "b": entry(offsets=[12, 20])}, bytes(20)), "leaves a hole before it", None),
        (safetensors({"a": entry(offsets=[4, 12])}, bytes(12)), "leaves a hole", None),
    ],
)
def test_refuses(data: bytes, reason: str, at_byte: int | None):
    with pytest.raises(Malformed, match=reason) as refused:
        read_safetensors(region(data))
    assert refused.value.at_byte is not None
    if at_byte is not None:
        assert refused.value.at_byte == at_byte


def test_the_byte_is_that_of_the_overlap():
    data = safetensors({"a": entry(), "b": entry(offsets=[4, 12])}, bytes(12))
    with pytest.raises(Malformed) as refused:
        read_safetensors(region(data))
    assert refused.value.at_byte == len(data) - 12 + 4


def test_the_byte_is_that_of_the_tensor_in_the_header():
    data = safetensors({"good": entry(), "bad name": entry("F33", offsets=[8, 16])}, bytes(16))
    with pytest.raises(Malformed) as refused:
        read_safetensors(region(data))
    assert data[refused.value.at_byte :].startswith(b'"bad name"')


def test_names_are_printed_without_control_characters():
    with pytest.raises(Malformed) as refused:
        read_safetensors(region(safetensors({"\x1b[31m\n": 1}, b"")))
    assert refused.value.message.isprintable()


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 300), st.binary(min_size=1, max_size=8))
def test_a_changed_byte_is_read_or_refused(position: int, patch: bytes):
    data = bytearray(safetensors())
    position %= len(data)
    data[position : position + len(patch)] = patch
    try:
        content = read_safetensors(region(bytes(data)))
    except Malformed:
        return
    assert max(tensor.end for tensor in content.tensors) <= len(data)


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=4),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    )
)
def test_any_header_is_read_or_refused(value: Any):
    try:
        read_safetensors(region(safetensors(header=json.dumps(value).encode())))
    except Malformed:
        return


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.text(max_size=8), st.lists(st.integers(0, 4), max_size=3), max_size=4))
def test_agrees_with_the_library(shapes: dict[str, list[int]]):
    shapes.pop("__metadata__", None)
    arrays = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    content = read_safetensors(region(save(arrays)))
    assert {tensor.name: list(tensor.shape) for tensor in content.tensors} == shapes
