"""File bytes by their sha256: one protocol, two stores (a folder in ``local_blobs.py``, a bucket in ``s3_blobs.py``).

A blob is written once and never changed: whoever puts a digest that is there already only learns that it is there.

    blobs = open_local_blobs(data / "blobs")
    await blobs.put_file(sha256, incoming, size_bytes=1_048_576)    # incoming is gone afterwards
    async for piece in blobs.stream(sha256, start=512): ...
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

from weighbridge.errors import EntryNotFound, InvalidInput, StorageError

PIECE_BYTES = 1 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")


class BlobStore(Protocol):
    """Immutable bytes. A digest that is not 64 lower-case hex digits is refused with ``InvalidInput``."""

    async def put_file(self, sha256: str, path: Path, *, size_bytes: int) -> None:
        """Moves a complete local file in, durably, unless its digest is there already; ``path`` is gone afterwards.

        The caller has hashed the bytes: they are not read for their digest again, only their length is checked.

        Raises:
            InvalidInput: ``path`` is not a regular file of ``size_bytes``; it stays where it is.
            StorageFull: no space; ``path`` stays, and nothing of it is visible in the store.
            StorageError: the store cannot be used, or holds other bytes under this digest.
        """
        ...

    async def put_bytes(self, data: bytes) -> str:
        """The sha256 of ``data``, which the store then holds durably."""
        ...

    async def has(self, sha256: str) -> bool:
        """Whether the store holds this digest, completely."""
        ...

    async def size_bytes(self, sha256: str) -> int:
        """Length of the blob. Raises: EntryNotFound."""
        ...

    async def read(self, sha256: str, *, start: int = 0, end: int | None = None) -> bytes:
        """Bytes ``start`` (inclusive) to ``end`` (exclusive; None: to the end), cut at the blob's end.

        Raises:
            EntryNotFound: no such blob.
            InvalidInput: ``start`` or ``end`` is negative.
        """
        ...

    def stream(
        self, sha256: str, *, start: int = 0, end: int | None = None, piece_bytes: int = PIECE_BYTES
    ) -> AsyncIterator[bytes]:
        """The same bytes as ``read``, in pieces of about ``piece_bytes``, in bounded memory."""
        ...

    def local_path(self, sha256: str) -> Path | None:
        """Where the file lies, for sendfile and for readers that want a path; None where there is no file (S3)."""
        ...

    async def delete(self, sha256: str) -> None:
        """Forgets the blob; no error when there is none."""
        ...

    async def close(self) -> None:
        """Gives connections back."""
        ...


def open_local_blobs(folder: Path) -> BlobStore:
    """The store in ``folder``, which is made when missing."""
    from weighbridge.storage.local_blobs import LocalBlobs

    return LocalBlobs.open(folder)


def open_s3_blobs(
    bucket: str,
    prefix: str = "",
    *,
    endpoint: str | None = None,
    region: str = "us-east-1",
    access_key: str | None = None,
    secret_key: str | None = None,
) -> BlobStore:
    """The store in ``bucket`` under ``prefix``; nothing is asked of S3 before the first use.

    Requests are path-style, and go over plain HTTP only to an ``http://`` endpoint. Without keys the AWS environment
    or the instance gives them.
    """
    from weighbridge.storage.s3 import open_bucket
    from weighbridge.storage.s3_blobs import S3Blobs

    return S3Blobs(
        open_bucket(bucket, prefix, endpoint=endpoint, region=region, access_key=access_key, secret_key=secret_key)
    )


def check_sha256(sha256: str) -> str:
    """The digest itself. It becomes part of a path, so anything but 64 lower-case hex digits is refused.

    Raises:
        InvalidInput: it is something else.
    """
    if not _SHA256.fullmatch(sha256):
        raise InvalidInput(f"could not use {sha256[:80]!r} as a sha256: it is not 64 lower-case hex digits")
    return sha256


def check_range(start: int, end: int | None, *, size_bytes: int) -> tuple[int, int]:
    """``(start, end)`` cut to the blob, end exclusive; equal when nothing is left to read.

    Raises:
        InvalidInput: a bound is negative.
    """
    if start < 0 or (end is not None and end < 0):
        raise InvalidInput(f"could not read bytes {start} to {end}: a bound is negative")
    stop = size_bytes if end is None else min(end, size_bytes)
    return (start, stop) if start < stop else (start, start)


def check_same_size(sha256: str, *, found: int, expected: int) -> None:
    """Raises ``StorageError`` when the store holds a blob of another length under this digest: it is damaged."""
    if found != expected:
        raise StorageError(
            f"could not store {sha256}: the store holds {found} bytes under this digest, not {expected}",
            hint="The store is damaged: restore this blob from a backup, or delete it and upload the file again.",
        )


def no_such_blob(sha256: str) -> EntryNotFound:
    """The error for a digest that the store does not hold."""
    return EntryNotFound(f"could not find the blob {sha256}")


def check_file(path: Path, *, size_bytes: int) -> None:
    """Raises ``InvalidInput`` unless ``path`` itself (no link followed) is a regular file of this length."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        raise InvalidInput(f"could not store {path.name}: there is no such file") from None
    if not stat.S_ISREG(status.st_mode):
        raise InvalidInput(f"could not store {path.name}: it is not a regular file")
    if status.st_size != size_bytes:
        raise InvalidInput(f"could not store {path.name}: it has {status.st_size} bytes, not {size_bytes}")
