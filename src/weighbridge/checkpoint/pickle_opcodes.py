"""One pickle opcode after another, decoded without acting on it; bounds on every argument."""

from __future__ import annotations

import pickletools
from collections.abc import Iterator
from typing import Any

import msgspec

from weighbridge.checkpoint.region import Cursor, Malformed

MAX_OPCODES = 5_000_000
MAX_KEPT_BYTES = 64 << 10  # a longer text or bytes argument is passed over, not kept
MAX_LINE_BYTES = 1 << 20
MAX_NUMBER_BYTES = 4_096

# pickletools says how long each argument is: a size in bytes, or one of these.
_UP_TO_NEWLINE = pickletools.UP_TO_NEWLINE
_COUNT_WIDTH = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}
_OPCODES = {info.code.encode("latin-1"): info for info in pickletools.opcodes}
_TWO_LINES = {"GLOBAL", "INST"}


class LongBytes(msgspec.Struct, frozen=True):
    """In place of an argument too long to keep: its length."""

    size_bytes: int


class Opcode(msgspec.Struct, frozen=True):
    """An opcode by its name in pickletools, its raw argument (None without one), and where it begins in the file."""

    name: str
    argument: bytes | LongBytes | None
    at_byte: int


def read_opcodes(cursor: Cursor) -> Iterator[Opcode]:
    """The opcodes up to and with STOP.

    Raises:
        Malformed: an unknown opcode, an argument past the end or out of bounds, a frame that does not hold, no STOP.
    """
    frame_end: int | None = None
    for number in range(MAX_OPCODES):
        at_byte = cursor.at_byte
        opcode = _read_opcode(cursor)
        if opcode.name == "PROTO" and number:
            raise Malformed("PROTO after the first opcode", at_byte=at_byte)
        if frame_end is not None and cursor.position > frame_end:
            # The C and the Python unpickler disagree about such a pickle (python/cpython#154848).
            raise Malformed("an opcode straddles the end of its frame", at_byte=at_byte)
        if opcode.name == "FRAME":
            if frame_end is not None and cursor.position < frame_end:
                raise Malformed("a frame inside a frame", at_byte=at_byte)
            frame_end = cursor.position + number_of(opcode)
            if number_of(opcode) > cursor.left:
                raise Malformed(f"truncated: a frame of {number_of(opcode)} bytes", at_byte=at_byte)
        elif frame_end is not None and cursor.position == frame_end:
            frame_end = None
        yield opcode
        if opcode.name == "STOP":
            return
    raise Malformed(f"more than {MAX_OPCODES} opcodes", at_byte=cursor.at_byte)


def number_of(opcode: Opcode) -> int:
    """The argument of an opcode whose argument is an unsigned little-endian number."""
    return int.from_bytes(opcode.argument, "little") if isinstance(opcode.argument, bytes) else 0


def _read_opcode(cursor: Cursor) -> Opcode:
    at_byte = cursor.at_byte
    if cursor.left == 0:
        raise Malformed("truncated: the pickle has no STOP", at_byte=at_byte)
    code = cursor.take(1)
    info = _OPCODES.get(code)
    if info is None:
        raise Malformed(f"unknown opcode {code.hex()}", at_byte=at_byte)
    if info.arg is None:
        return Opcode(info.name, None, at_byte)
    size = info.arg.n
    if info.name in _TWO_LINES:
        lines = (cursor.line(max_bytes=MAX_LINE_BYTES), cursor.line(max_bytes=MAX_LINE_BYTES))
        return Opcode(info.name, b"\n".join(lines), at_byte)
    if size == _UP_TO_NEWLINE:
        return Opcode(info.name, cursor.line(max_bytes=MAX_LINE_BYTES), at_byte)
    if size >= 0:
        return Opcode(info.name, cursor.take(size), at_byte)
    return Opcode(info.name, _counted(cursor, info, at_byte), at_byte)


def _counted(cursor: Cursor, info: Any, at_byte: int) -> bytes | LongBytes:
    count = cursor.unsigned(_COUNT_WIDTH[info.arg.n])
    if count > cursor.left:
        raise Malformed(f"truncated: {info.name} of {count} bytes", at_byte=at_byte)
    if info.name in ("LONG1", "LONG4") and count > MAX_NUMBER_BYTES:
        raise Malformed(f"a number of {count} bytes, at most {MAX_NUMBER_BYTES}", at_byte=at_byte)
    if count > MAX_KEPT_BYTES:
        cursor.skip(count)
        return LongBytes(count)
    return cursor.take(count)
