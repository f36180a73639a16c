"""What a file is, by content and by name; and the small readers."""

from __future__ import annotations

import pickle
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.checkpoint.made import PNG, archive, gguf, region, safetensors, sentencepiece, state_dict, torch_zip
from weighbridge.checkpoint import Format, Malformed, expected_formats, read_json, sniff
from weighbridge.checkpoint.image import read_image
from weighbridge.checkpoint.jsonfile import clip
from weighbridge.checkpoint.sentencepiece import read_sentencepiece

TEXT_PICKLE = b"cos\nsystem\n(S'true'\ntR."


@pytest.mark.parametrize(
    ("path", "data", "kind"),
    [
        ("model.safetensors", safetensors(), Format.SAFETENSORS),
        ("anything", safetensors(), Format.SAFETENSORS),
        ("model.gguf", gguf(), Format.GGUF),
        ("model.bin", torch_zip(), Format.TORCH),
        ("model.txt", torch_zip(), Format.TORCH),
        ("model.bin", archive({"a": b"b"}), Format.ARCHIVE),
        ("model.bin", state_dict(), Format.PICKLE),
        ("README.md", state_dict(), Format.PICKLE),
        ("notes.txt", TEXT_PICKLE, Format.PICKLE),
        ("config.json", TEXT_PICKLE, Format.PICKLE),
        ("model.pkl", b"no pickle at all", Format.PICKLE),
        ("model.safetensors", pickle.dumps({}), Format.PICKLE),
        ("config.json", b"{}", Format.JSON),
        ("config.json", b"not json", Format.JSON),
        ("README.md", "# Héllo\r\n\tworld\n".encode(), Format.TEXT),
        ("LICENSE", b"MZ is how this licence begins", Format.TEXT),
        ("notes", b"BZhang wrote this.", Format.TEXT),
        ("model.py", b"import os", Format.CODE),
        ("run", b"#!/bin/sh\ntrue", Format.CODE),
        ("a.txt", b"#!/bin/sh\ntrue", Format.CODE),
        ("tool", b"\x7fELF\2\1\1" + bytes(9), Format.EXECUTABLE),
        ("tool.txt", b"MZ\x90\0" + bytes(60), Format.EXECUTABLE),
        ("a.gz", b"\x1f\x8b\x08\0" + bytes(9), Format.ARCHIVE),
        ("a.tar", bytes(257) + b"ustar" + bytes(250), Format.ARCHIVE),
        ("logo.png", PNG, Format.IMAGE),
        ("w.npy", b"\x93NUMPY\1\0", Format.UNREAD),
        ("w.onnx", b"\x08\x07\x12\0", Format.UNREAD),
        ("spiece.model", sentencepiece(), Format.SENTENCEPIECE),
        ("weights.dat", b"\0\1\2\3", Format.UNKNOWN),
        ("weights.md", b"\0\1\2\3", Format.UNKNOWN),
        ("latin1.txt", b"caf\xe9", Format.UNKNOWN),
        ("escape.txt", b"\x1b[31m", Format.UNKNOWN),
        (".gitkeep", b"", Format.EMPTY),
    ],
)
def test_sniff(path: str, data: bytes, kind: Format):
    assert sniff(region(data), path) is kind


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a/Model.SafeTensors", {Format.SAFETENSORS}),
        ("pytorch_model.bin", {Format.TORCH, Format.PICKLE}),
        ("LICENSE", set()),
        (".gitattributes", set()),
    ],
)
def test_expected(path: str, expected: set[Format]):
    assert expected_formats(path) == expected


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=600), st.sampled_from(["a", "a.bin", "a.json", "a.model", "a.safetensors", "a.py"]))
def test_any_bytes_are_something(data: bytes, path: str):
    assert sniff(region(data), path) in Format


def test_text_cut_inside_a_letter_is_no_text():
    assert sniff(region("é".encode()[:1]), "a.txt") is Format.UNKNOWN


def test_a_letter_across_two_windows_is_text():
    data = b"x" * ((1 << 20) - 1) + "é".encode() + b"\n"
    assert sniff(region(data), "a.txt") is Format.TEXT


@pytest.mark.parametrize("value", [None, 1, "x", [1, {"a": float("inf")}], {"é": "\u2028"}])
def test_json(value: Any):
    import json

    assert read_json(region(json.dumps(value).encode())) == value


@pytest.mark.parametrize(
    ("data", "reason", "at_byte"),
    [
        (b"", "not valid JSON", 0),
        (b"{}x", "Extra data", 2),
        ('{"é": x}'.encode(), "Expecting value", 7),
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', "'c' occurs twice", 23),
        (b'"\xff"', "not valid UTF-8", 1),
        (b"\xef\xbb\xbf{}", "not valid JSON", 0),
        (b"[" * 200_000, "nested too deeply", 0),
        (b"1" * 5_000, "a number is too long", 0),
    ],
)
def test_json_refuses(data: bytes, reason: str, at_byte: int):
    with pytest.raises(Malformed, match=reason) as refused:
        read_json(region(data))
    assert refused.value.at_byte == at_byte


def test_json_is_bounded():
    with pytest.raises(Malformed, match="at most 10 are read"):
        read_json(region(b"[1,2,3,4,5,6]"), max_bytes=10)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_json_or_refused(data: bytes):
    try:
        read_json(region(data))
    except Malformed:
        return


@given(st.text())
def test_clip_is_printable_and_short(text: str):
    shown = clip(text)
    assert shown.isascii()
    assert shown.isprintable()
    assert len(shown) <= 120


def test_sentencepiece():
    assert read_sentencepiece(region(sentencepiece(5))) == 5


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x12\x00", "no pieces"),
        (b"\x32\x00", "field 6"),
        (b"\x08\x01", "field 1 of wire type 0"),
        (b"\x0a\x05\x0a", "truncated"),
        (b"\x0a\x02\x20\x01", "field 4 in a piece"),
        (b"\x0a\x02\x0a\x05aaaaa", "past its own end"),
        (b"\x0a" + b"\xff" * 10, "more than ten bytes"),
        (b"\x12\xff\xff\xff\xff\xff\xff\xff\x7f", "truncated"),
        (sentencepiece()[:-1], "truncated"),
    ],
)
def test_sentencepiece_refuses(data: bytes, reason: str):
    with pytest.raises(Malformed, match=reason):
        read_sentencepiece(region(data))


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 40), st.binary(min_size=1, max_size=4))
def test_a_changed_tokenizer_is_read_or_refused(position: int, patch: bytes):
    data = bytearray(sentencepiece(3))
    position %= len(data)
    data[position : position + len(patch)] = patch
    try:
        read_sentencepiece(region(bytes(data)))
    except Malformed:
        return


WEBP = b"RIFF" + struct.pack("<I", 12) + b"WEBPVP8 " + bytes(4)


@pytest.mark.parametrize(
    ("data", "kind"),
    [(PNG, "PNG"), (b"\xff\xd8\xff\xe0x\xff\xd9", "JPEG"), (b"GIF89a...;", "GIF"), (WEBP, "WEBP")],
)
def test_images(data: bytes, kind: str):
    assert read_image(region(data)) == kind
    with pytest.raises(Malformed, match="does not end"):
        read_image(region(data + b"\0\0\0\0"))


def test_an_image_with_an_archive_behind_it_is_refused():
    data = b"GIF89a" + archive({"a": b"b"}) + b";"
    with pytest.raises(Malformed, match="an archive hangs"):
        read_image(region(data))
