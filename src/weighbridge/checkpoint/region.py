"""Bounded reading. A region is a run of bytes of a file; nothing reads outside it, nor more than a window at once.

with open_region(file) as region:
    cursor = Cursor(region)
    magic, version = cursor.take(4), cursor.unsigned(4)
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from weighbridge.errors import UnreadableFile

WINDOW_BYTES = 1 << 20
MAX_READ_BYTES = 128 << 20


class ModelFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a revision: its name there, and the regular file that holds its bytes (a blob needs no suffix)."""

    path: str
    local_path: Path
    size_bytes: int


class Malformed(UnreadableFile):
    """The structure does not hold. ``at_byte`` is the offset in the file where it shows."""

    def __init__(self, message: str, *, at_byte: int | None = None, hint: str = "") -> None:
        super().__init__(message, hint=hint or "Copy the file again or export it again; it is not accepted as it is.")
        self.at_byte = at_byte


class Region:
    """``size_bytes`` bytes from ``start`` of an open file; offsets of its methods count from its own start."""

    def __init__(self, read_at: Callable[[int, int], bytes], *, start: int = 0, size_bytes: int) -> None:
        self._read_at = read_at
        self.start = start
        self.size_bytes = size_bytes

    @classmethod
    def of_bytes(cls, data: bytes) -> Region:
        """A region over bytes in memory."""
        return cls(lambda offset, count: data[offset : offset + count], size_bytes=len(data))

    def read(self, offset: int, count: int) -> bytes:
        """Exactly ``count`` bytes.

        Raises:
            Malformed: they are not all inside the region, or more than MAX_READ_BYTES.
        """
        if offset < 0 or count < 0 or offset + count > self.size_bytes:
            missing = f"{count} bytes at {self.start + offset} reach past the end at {self.start + self.size_bytes}"
            raise Malformed(f"truncated: {missing}", at_byte=self.start + max(offset, 0))
        if count > MAX_READ_BYTES:
            raise Malformed(f"{count} bytes in one piece, at most {MAX_READ_BYTES}", at_byte=self.start + offset)
        data = self._read_at(self.start + offset, count)
        if len(data) != count:
            raise Malformed("the file became shorter while it was read", at_byte=self.start + offset)
        return data

    def head(self, count: int) -> bytes:
        """At most the first ``count`` bytes."""
        return self.read(0, min(count, self.size_bytes))

    def tail(self, count: int) -> bytes:
        """At most the last ``count`` bytes."""
        count = min(count, self.size_bytes)
        return self.read(self.size_bytes - count, count)

    def part(self, offset: int, count: int) -> Region:
        """The region of ``count`` bytes from ``offset``.

        Raises:
            Malformed: it is not inside this one.
        """
        if offset < 0 or count < 0 or offset + count > self.size_bytes:
            raise Malformed(f"truncated: {count} bytes at {self.start + offset} are not there", at_byte=self.start)
        return Region(self._read_at, start=self.start + offset, size_bytes=count)

    def windows(self) -> Iterator[bytes]:
        """All bytes, a window at a time."""
        for offset in range(0, self.size_bytes, WINDOW_BYTES):
            yield self.read(offset, min(WINDOW_BYTES, self.size_bytes - offset))


class Cursor:
    """Reads a region from front to back through a window; small reads cost no system call."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self.position = 0
        self._window = b""
        self._window_at = 0

    @property
    def at_byte(self) -> int:
        """The offset in the file of the next byte."""
        return self.region.start + self.position

    @property
    def left(self) -> int:
        """The number of bytes to the end of the region."""
        return self.region.size_bytes - self.position

    def take(self, count: int) -> bytes:
        """The next ``count`` bytes. Raises Malformed as ``Region.read``."""
        begin = self.position - self._window_at
        data = self._window[begin : begin + count] if begin >= 0 else b""
        if len(data) != count or count < 0:
            data = self._refill(count)
        self.position += count
        return data

    def skip(self, count: int) -> None:
        """Passes over ``count`` bytes. Raises Malformed when they are not there."""
        if count < 0 or count > self.left:
            raise Malformed(f"truncated: {count} bytes at {self.at_byte} are not there", at_byte=self.at_byte)
        self.position += count

    def unsigned(self, width: int) -> int:
        """The next little-endian unsigned number of ``width`` bytes."""
        return int.from_bytes(self.take(width), "little")

    def line(self, *, max_bytes: int) -> bytes:
        """The bytes up to the next line feed, which is passed over."""
        found = bytearray()
        at_byte = self.at_byte
        while len(found) <= max_bytes:
            piece = self.take(min(256, self.left) or 1)
            end = piece.find(b"\n")
            if end >= 0:
                self.position -= len(piece) - end - 1
                found += piece[:end]
                break
            found += piece
        if len(found) > max_bytes:
            raise Malformed(f"a line of more than {max_bytes} bytes", at_byte=at_byte)
        return bytes(found)

    def _refill(self, count: int) -> bytes:
        if not 0 <= count <= min(WINDOW_BYTES, self.left):
            return self.region.read(self.position, count)  # a large piece; or it raises, with the right words
        self._window_at = self.position
        self._window = self.region.read(self.position, min(WINDOW_BYTES, self.left))
        return self._window[:count]


@contextmanager
def open_region(file: ModelFile) -> Generator[Region]:
    """The whole file as a region, for as long as the context lasts.

    Raises:
        Malformed: no regular file is there (a link, a pipe, a folder), or it has another size than announced.
    """
    try:
        # NONBLOCK: opening a pipe that nobody writes to would hang. NOFOLLOW: a link may leave the folder.
        descriptor = os.open(file.local_path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise Malformed(f"could not be opened: {error.strerror}") from error
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise Malformed("is not a regular file")
        if facts.st_size != file.size_bytes:
            raise Malformed(f"has {facts.st_size} bytes, announced were {file.size_bytes}")
        yield Region(lambda offset, count: os.pread(descriptor, count, offset), size_bytes=facts.st_size)
    finally:
        os.close(descriptor)
