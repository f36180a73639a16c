"""The wire between the caller and a cell.

A frame is ``length`` (4 bytes, big endian, of kind and body), ``kind`` (1 byte), ``body`` (JSON).
"""

from __future__ import annotations

import struct
from enum import StrEnum
from typing import BinaryIO

HEADER = struct.Struct(">IB")


class Kind(StrEnum):
    """What a frame is. A request has kind ``ASK``; the rest come from the cell."""

    HELLO = "h"
    ASK = "a"
    PROGRESS = "p"
    RESULT = "r"
    ERROR = "e"


def pack(kind: Kind, body: bytes) -> bytes:
    """The frame's bytes."""
    return HEADER.pack(len(body) + 1, ord(kind)) + body


def unpack_header(header: bytes) -> tuple[str, int]:
    """The kind as a character (perhaps none that we know) and the size of the body in bytes, which may be negative."""
    length, kind = HEADER.unpack(header)
    return chr(kind), length - 1


def read_request(stream: BinaryIO, *, max_bytes: int) -> bytes | None:
    """The body of the next request; None at the end of the stream.

    Raises:
        ValueError: the stream holds something else.
    """
    header = stream.read(HEADER.size)
    if not header:
        return None
    if len(header) != HEADER.size:
        raise ValueError("truncated frame")
    kind, size = unpack_header(header)
    if kind != Kind.ASK or not 0 <= size <= max_bytes:
        raise ValueError("not a request")
    body = stream.read(size)
    if len(body) != size:
        raise ValueError("truncated frame")
    return body
