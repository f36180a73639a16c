"""Small files by key, for the transparency log: put-once (tiles, entries) and replaceable (the checkpoint).

Use:

    objects = open_local_objects(data / "tlog")
    await objects.put("tile/0/000", tile, create=True)      # again with the same bytes: fine; with others: Conflict
    await objects.put("checkpoint", note, create=False)
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from weighbridge.errors import Conflict, EntryNotFound, InvalidInput
from weighbridge.storage.durable import link_once, make_folder, replace, staged, storage_errors, sweep, sync_folder

if TYPE_CHECKING:
    from obstore.store import S3Store

_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")


class ObjectStore(Protocol):
    """Small files by key: a relative path of letters, digits, ``.``, ``_`` and ``-``; no part starts with a dot."""

    async def put(self, key: str, data: bytes, *, create: bool) -> None:
        """Stores ``data`` durably: ``create`` puts once, else what is there is replaced whole.

        Raises:
            Conflict: with ``create``, other bytes are there already. The same bytes are not an error, so that
                whoever was interrupted may simply do it again.
            StorageFull: no space; what was there stays.
        """
        ...

    async def get(self, key: str) -> bytes:
        """The bytes. Raises: EntryNotFound."""
        ...

    async def close(self) -> None:
        """Gives connections back."""
        ...


def open_local_objects(folder: Path) -> ObjectStore:
    """The objects in ``folder``, which is made when missing."""
    folder = folder.absolute()
    with storage_errors(f"open the folder {folder}"):
        make_folder(folder)
        sweep(folder / ".part")
    return LocalObjects(folder)


def open_s3_objects(
    bucket: str,
    prefix: str = "",
    *,
    endpoint: str | None = None,
    region: str = "us-east-1",
    access_key: str | None = None,
    secret_key: str | None = None,
) -> ObjectStore:
    """The objects in ``bucket`` under ``prefix``; the same settings as ``open_s3_blobs``."""
    from weighbridge.storage.s3 import open_bucket

    return S3Objects(
        open_bucket(bucket, prefix, endpoint=endpoint, region=region, access_key=access_key, secret_key=secret_key)
    )


class LocalObjects:
    """Files of a folder, written in the durable order of ``durable.py``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def put(self, key: str, data: bytes, *, create: bool) -> None:
        """See ``ObjectStore.put``."""
        path = self._folder / _check_key(key)
        await asyncio.to_thread(self._create if create else self._replace, path, data)

    async def get(self, key: str) -> bytes:
        """The bytes. Raises: EntryNotFound."""
        return await asyncio.to_thread(self._read, self._folder / _check_key(key))

    async def close(self) -> None:
        """Nothing to give back."""

    def _create(self, path: Path, data: bytes) -> None:
        with storage_errors(f"write {path.name}"):
            if not path.exists():
                with staged(self._folder / ".part", data) as part:
                    part.chmod(0o444)
                    if link_once(part, path):
                        return
            sync_folder(path.parent)  # its writer may not have come this far yet
            _check_same(path.name, found=path.read_bytes(), expected=data)

    def _replace(self, path: Path, data: bytes) -> None:
        with storage_errors(f"write {path.name}"), staged(self._folder / ".part", data) as part:
            part.chmod(0o644)
            replace(part, path)

    def _read(self, path: Path) -> bytes:
        with storage_errors(f"read {path.name}"):
            try:
                return path.read_bytes()
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                raise _no_such(str(path.relative_to(self._folder))) from None


class S3Objects:
    """Objects of a bucket."""

    def __init__(self, store: S3Store) -> None:
        self._store = store

    async def put(self, key: str, data: bytes, *, create: bool) -> None:
        """See ``ObjectStore.put``."""
        import obstore
        from obstore.exceptions import AlreadyExistsError

        from weighbridge.storage.obstore_errors import obstore_errors

        with obstore_errors(f"write {_check_key(key)}"):
            try:
                await obstore.put_async(self._store, key, data, mode="create" if create else "overwrite")
            except AlreadyExistsError:
                _check_same(key, found=await self.get(key), expected=data)

    async def get(self, key: str) -> bytes:
        """The bytes. Raises: EntryNotFound."""
        import obstore

        from weighbridge.storage.obstore_errors import obstore_errors

        with obstore_errors(f"read {_check_key(key)}"):
            try:
                return bytes(await (await obstore.get_async(self._store, key)).bytes_async())
            except FileNotFoundError:
                raise _no_such(key) from None

    async def close(self) -> None:
        """Nothing to give back."""


def _check_key(key: str) -> str:
    if not _KEY.fullmatch(key):
        raise InvalidInput(f"could not use {key[:80]!r} as a key: it is not a plain relative path")
    return key


def _check_same(key: str, *, found: bytes, expected: bytes) -> None:
    if found != expected:
        raise Conflict(f"could not write {key}: other bytes are there already")


def _no_such(key: str) -> EntryNotFound:
    return EntryNotFound(f"could not find {key}")
