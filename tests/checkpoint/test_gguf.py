"""GGUF: what the library writes is accepted, everything that does not hold is refused at its byte."""

from __future__ import annotations

import struct
from pathlib import Path

import gguf as library
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.checkpoint.made import gguf, gguf_tensor, gguf_text, region
from weighbridge.checkpoint import Malformed, read_gguf
from weighbridge.checkpoint.gguf import BLOCKS

U64_MAX = 2**64 - 1


def value(kind: int, data: bytes) -> bytes:
    return gguf([("general.name", kind, data)])


def test_reads_metadata_and_tensors():
    content = read_gguf(region(gguf()))
    assert content.metadata["general.architecture"] == "llama"
    assert content.metadata["tokenizer.ggml.add_bos_token"] is True
    assert content.array_lengths == {"tokenizer.ggml.tokens": 2}
    assert [(t.name, t.dtype, t.begin, t.end, t.elements) for t in content.tensors] == [
        ("a", "F32", 0, 32, 8),
        ("b", "Q4_0", 32, 50, 32),
    ]


def test_reads_what_the_library_writes(tmp_path: Path):
    writer = library.GGUFWriter(tmp_path / "m.gguf", "llama")
    writer.add_context_length(8)
    writer.add_token_list(["a", "b", "c"])
    writer.add_chat_template("{{ messages }}")
    writer.add_tensor("x", np.zeros((3, 64), np.float32))
    writer.add_tensor("y", np.zeros((5,), np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    content = read_gguf(region((tmp_path / "m.gguf").read_bytes()))
    assert content.metadata["llama.context_length"] == 8
    assert content.array_lengths["tokenizer.ggml.tokens"] == 3
    assert {tensor.name: tensor.elements for tensor in content.tensors} == {"x": 192, "y": 5}


def test_block_sizes_are_those_of_the_library():
    for kind, (name, elements, size_bytes) in BLOCKS.items():
        assert library.GGMLQuantizationType(kind).name == name
        assert library.GGML_QUANT_SIZES[library.GGMLQuantizationType(kind)] == (elements, size_bytes)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "truncated"),
        (b"GGUF", "truncated"),
        (b"GGML" + gguf()[4:], "does not begin with GGUF"),
        (gguf(version=1), "version 1"),
        (gguf(version=0x03000000), "version 50331648"),
        (gguf(counts=(U64_MAX, 5)), "18446744073709551615 tensors cannot be"),
        (gguf(counts=(2, U64_MAX)), "18446744073709551615 metadata values cannot be"),
        (gguf(counts=(2, 900_000)), "cannot be"),
        (value(13, b""), "unknown value type 13"),
        (value(8, struct.pack("<Q", U64_MAX)), "a text of 18446744073709551615 bytes"),
        (value(8, struct.pack("<Q", 1 << 20)), "truncated"),
        (value(8, gguf_text(b"\xff")), "not valid UTF-8"),
        (value(7, b"\2"), "truth value"),
        (value(9, struct.pack("<IQ", 4, U64_MAX)), "an array of 18446744073709551615 items"),
        (value(9, struct.pack("<IQ", 10, 1 << 20)), "truncated"),
        (value(9, struct.pack("<IQ", 8, 1 << 20)), "truncated: 1048576 texts"),
        (value(9, struct.pack("<IQ", 8, 1) + struct.pack("<Q", U64_MAX)), "truncated"),
        (value(9, struct.pack("<IQ", 9, 1)), "array of values of type 9"),
        (gguf([("k", 0, b"\0"), ("k", 0, b"\0")]), "'k' occurs twice"),
        (gguf([("general.alignment", 4, struct.pack("<I", 0))]), "not a power of two"),
        (gguf([("general.alignment", 4, struct.pack("<I", 48))]), "not a power of two"),
        (gguf([("general.alignment", 8, gguf_text("32"))]), "not a power of two"),
        (gguf(tensors=[gguf_tensor("a", [1] * 5, 0, 0)]), "5 dimensions"),
        (gguf(tensors=[gguf_tensor("a", [8], 99, 0)]), "unknown tensor type 99"),
        (gguf(tensors=[gguf_tensor("a", [8], 4, 0)]), "unknown tensor type 4"),
        (gguf(tensors=[gguf_tensor("a", [2**40, 2**40], 0, 0)]), "more than"),
        (gguf(tensors=[gguf_tensor("a", [31], 2, 0)]), "not whole blocks"),
        (gguf(tensors=[gguf_tensor("a", [8], 0, 8)]), "not a multiple of 32"),
        (gguf(tensors=[gguf_tensor("a", [8], 0, U64_MAX - 31)]), "leaves a hole"),
        (gguf(tensors=[gguf_tensor("a", [32], 0, 0)]), "truncated: the tensors need 128 bytes"),
        (gguf(tensors=[gguf_tensor("a", [8], 0, 0), gguf_tensor("a", [8], 0, 32)]), "'a' occurs twice"),
        (gguf(tensors=[gguf_tensor("a", [16], 0, 0), gguf_tensor("b", [8], 0, 32)]), "'b' overlaps"),
        (gguf(tensors=[gguf_tensor("a", [8], 0, 0), gguf_tensor("b", [8], 0, 64)], data=bytes(96)), "hole"),
        (gguf(data=bytes(50)) + bytes(200), "belong to no tensor"),
        (gguf(tensors=[], data=bytes(100)), "belong to no tensor"),
    ],
)
def test_refuses(data: bytes, reason: str):
    with pytest.raises(Malformed, match=reason) as refused:
        read_gguf(region(data))
    assert refused.value.at_byte is not None


def test_every_cut_is_refused():
    data = gguf()
    for size in range(len(data)):
        with pytest.raises(Malformed):
            read_gguf(region(data[:size]))


@settings(max_examples=500, deadline=None)
@given(st.integers(0, 400), st.binary(min_size=1, max_size=9))
def test_a_changed_byte_is_read_or_refused(position: int, patch: bytes):
    data = bytearray(gguf())
    position %= len(data)
    data[position : position + len(patch)] = patch
    try:
        read_gguf(region(bytes(data)))
    except Malformed:
        return


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_read(tail: bytes):
    try:
        read_gguf(region(b"GGUF" + struct.pack("<I", 3) + tail))
    except Malformed:
        return
