"""Blobs in a folder: ``ab/abcdef…``, mode 0444, linked in so that a put never overwrites.

Reading goes through obstore; writing is our own, since obstore does not fsync (``durable.py``).
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import obstore
from obstore.store import LocalStore

from weighbridge.storage.blobs import (
    PIECE_BYTES,
    check_file,
    check_range,
    check_same_size,
    check_sha256,
    no_such_blob,
)
from weighbridge.storage.durable import link_once, make_folder, staged, storage_errors, sweep, sync_file, sync_folder
from weighbridge.storage.obstore_errors import obstore_errors

_MODE = 0o444
_FOLDERS = frozenset(f"{number:02x}" for number in range(256))


class LocalBlobs:
    """A ``BlobStore`` on one local folder, which many processes may share."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._store = LocalStore(folder)

    @classmethod
    def open(cls, folder: Path) -> LocalBlobs:
        """The store in ``folder``, made when missing; what a killed writer left half-written is swept out."""
        folder = folder.absolute()
        with storage_errors(f"open the blob folder {folder}"):
            make_folder(folder)
            present = {entry.name for entry in folder.iterdir()}
            missing = sorted(_FOLDERS - present)
            for name in missing:
                (folder / name).mkdir(exist_ok=True)
            if missing:
                sync_folder(folder)
            make_folder(folder / ".part")
            sweep(folder / ".part")
        return cls(folder)

    async def put_file(self, sha256: str, path: Path, *, size_bytes: int) -> None:
        """Links the file in, durably, unless its digest is there already; see ``BlobStore.put_file``."""
        check_sha256(sha256)
        await asyncio.to_thread(self._put_file, sha256, path, size_bytes)

    async def put_bytes(self, data: bytes) -> str:
        """The sha256 of ``data``, which the store then holds durably."""
        sha256 = hashlib.sha256(data).hexdigest()
        await asyncio.to_thread(self._put_bytes, sha256, data)
        return sha256

    async def has(self, sha256: str) -> bool:
        """Whether the store holds this digest."""
        return self._path(sha256).is_file()

    async def size_bytes(self, sha256: str) -> int:
        """Length of the blob. Raises: EntryNotFound."""
        try:
            return self._path(sha256).stat().st_size
        except FileNotFoundError:
            raise no_such_blob(sha256) from None

    async def read(self, sha256: str, *, start: int = 0, end: int | None = None) -> bytes:
        """Bytes ``start`` to ``end`` (exclusive), cut at the blob's end."""
        start, end = check_range(start, end, size_bytes=await self.size_bytes(sha256))
        if start == end:
            return b""
        with storage_errors(f"read the blob {sha256}"), obstore_errors(f"read the blob {sha256}"):
            return bytes(await obstore.get_range_async(self._store, _key(sha256), start=start, end=end))

    async def stream(
        self, sha256: str, *, start: int = 0, end: int | None = None, piece_bytes: int = PIECE_BYTES
    ) -> AsyncIterator[bytes]:
        """The same bytes as ``read``, in pieces of about ``piece_bytes``."""
        start, end = check_range(start, end, size_bytes=await self.size_bytes(sha256))
        if start == end:
            return
        with storage_errors(f"read the blob {sha256}"), obstore_errors(f"read the blob {sha256}"):
            result = await obstore.get_async(self._store, _key(sha256), options={"range": (start, end)})
            async for piece in result.stream(min_chunk_size=piece_bytes):
                yield bytes(piece)

    def local_path(self, sha256: str) -> Path | None:
        """Where the file lies, whether or not it is there."""
        return self._path(sha256)

    async def delete(self, sha256: str) -> None:
        """Forgets the blob; no error when there is none."""
        await asyncio.to_thread(self._delete, self._path(sha256))

    async def close(self) -> None:
        """Nothing to give back."""

    def _path(self, sha256: str) -> Path:
        return self._folder / _key(check_sha256(sha256))

    def _put_file(self, sha256: str, path: Path, size_bytes: int) -> None:
        target = self._path(sha256)
        with storage_errors(f"store {path.name} as {sha256}"):
            check_file(path, size_bytes=size_bytes)
            path.chmod(_MODE)
            sync_file(path)
            try:
                is_new = link_once(path, target)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                is_new = self._copy_in(path, target)
            if not is_new:
                check_same_size(sha256, found=target.stat().st_size, expected=size_bytes)
            path.unlink()

    def _put_bytes(self, sha256: str, data: bytes) -> None:
        target = self._path(sha256)
        with storage_errors(f"store {len(data)} bytes as {sha256}"):
            if target.is_file() or not self._copy_in(data, target):
                check_same_size(sha256, found=target.stat().st_size, expected=len(data))

    def _copy_in(self, content: bytes | Path, target: Path) -> bool:
        with staged(self._folder / ".part", content) as part:
            part.chmod(_MODE)
            return link_once(part, target)

    def _delete(self, path: Path) -> None:
        with storage_errors(f"delete the blob {path.name}"):
            if path.exists():
                path.unlink(missing_ok=True)
                sync_folder(path.parent)


def _key(sha256: str) -> str:
    return f"{sha256[:2]}/{sha256}"
