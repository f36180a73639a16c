"""Blobs in an S3 bucket: ``<prefix>/ab/abcdef…``, written once, big ones in parts of bounded memory.

An upload that was cut off leaves hidden parts: give the bucket a lifecycle rule that aborts them after a day.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import obstore
from obstore.exceptions import AlreadyExistsError
from obstore.store import S3Store

from weighbridge.storage.blobs import (
    PIECE_BYTES,
    check_file,
    check_range,
    check_same_size,
    check_sha256,
    no_such_blob,
)
from weighbridge.storage.obstore_errors import obstore_errors

_PART_BYTES = 8 << 20
_PARTS_AT_ONCE = 4
_MOST_PARTS = 9_000
"""S3 takes at most 10,000 parts an object."""


class S3Blobs:
    """A ``BlobStore`` on one bucket, which many processes may share."""

    def __init__(self, store: S3Store) -> None:
        self._store = store

    async def put_file(self, sha256: str, path: Path, *, size_bytes: int) -> None:
        """Uploads the file unless its digest is there already, then removes it; see ``BlobStore.put_file``."""
        key = _key(sha256)
        await asyncio.to_thread(check_file, path, size_bytes=size_bytes)
        if not await self._holds(sha256, size_bytes):
            with obstore_errors(f"store {path.name} as {sha256}"):
                await self._upload(key, path, size_bytes=size_bytes)
            check_same_size(sha256, found=await self.size_bytes(sha256), expected=size_bytes)
        await asyncio.to_thread(path.unlink)

    async def put_bytes(self, data: bytes) -> str:
        """The sha256 of ``data``, which the store then holds."""
        sha256 = hashlib.sha256(data).hexdigest()
        if not await self._holds(sha256, len(data)):
            with obstore_errors(f"store {len(data)} bytes as {sha256}"):
                await self._create(_key(sha256), data)
        return sha256

    async def has(self, sha256: str) -> bool:
        """Whether the store holds this digest, completely: S3 shows an object only when it is whole."""
        return await self._size(sha256) is not None

    async def size_bytes(self, sha256: str) -> int:
        """Length of the blob. Raises: EntryNotFound."""
        size = await self._size(sha256)
        if size is None:
            raise no_such_blob(sha256)
        return size

    async def read(self, sha256: str, *, start: int = 0, end: int | None = None) -> bytes:
        """Bytes ``start`` to ``end`` (exclusive), cut at the blob's end."""
        start, end = check_range(start, end, size_bytes=await self.size_bytes(sha256))
        if start == end:
            return b""
        with obstore_errors(f"read the blob {sha256}"):
            return bytes(await obstore.get_range_async(self._store, _key(sha256), start=start, end=end))

    async def stream(
        self, sha256: str, *, start: int = 0, end: int | None = None, piece_bytes: int = PIECE_BYTES
    ) -> AsyncIterator[bytes]:
        """The same bytes as ``read``, in pieces of about ``piece_bytes``."""
        start, end = check_range(start, end, size_bytes=await self.size_bytes(sha256))
        if start == end:
            return
        with obstore_errors(f"read the blob {sha256}"):
            result = await obstore.get_async(self._store, _key(sha256), options={"range": (start, end)})
            async for piece in result.stream(min_chunk_size=piece_bytes):
                yield bytes(piece)

    def local_path(self, sha256: str) -> Path | None:
        """None: there is no local file."""
        check_sha256(sha256)

    async def delete(self, sha256: str) -> None:
        """Forgets the blob; no error when there is none."""
        with obstore_errors(f"delete the blob {sha256}"):
            try:
                await obstore.delete_async(self._store, _key(sha256))
            except FileNotFoundError:
                return

    async def close(self) -> None:
        """Nothing to give back: obstore closes its connections when they are idle."""

    async def _upload(self, key: str, path: Path, *, size_bytes: int) -> None:
        """S3 has no put-if-absent for parts; a second writer of the digest brings the same bytes."""
        if size_bytes <= _PART_BYTES:
            await self._create(key, path)
            return
        part_bytes = max(_PART_BYTES, -(-size_bytes // _MOST_PARTS))
        await obstore.put_async(self._store, key, path, chunk_size=part_bytes, max_concurrency=_PARTS_AT_ONCE)

    async def _create(self, key: str, content: bytes | Path) -> None:
        with contextlib.suppress(AlreadyExistsError):
            await obstore.put_async(self._store, key, content, mode="create")

    async def _size(self, sha256: str) -> int | None:
        with obstore_errors(f"look up the blob {sha256}"):
            try:
                return (await obstore.head_async(self._store, _key(sha256)))["size"]
            except FileNotFoundError:
                return None

    async def _holds(self, sha256: str, size_bytes: int) -> bool:
        found = await self._size(sha256)
        if found is None:
            return False
        check_same_size(sha256, found=found, expected=size_bytes)
        return True


def _key(sha256: str) -> str:
    return f"{check_sha256(sha256)[:2]}/{sha256}"
