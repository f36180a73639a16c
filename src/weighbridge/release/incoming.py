"""Uploads under way: bytes go straight to ``incoming/<id>``, and are hashed as they are written.

    folder = IncomingFolder(path)
    upload = folder.create(repo_id=…, account_id=…, size_bytes=…, now_ms=…)
    upload.append([piece, …])          # blocking: call it in a thread
    facts = upload.finish()            # ditto; the file is complete and fsynced, its digests are known

One process owns the folder. A process that starts anew finds the files of the one before, and hashes what they hold
again the first time that someone goes on with one.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from weighbridge.errors import Conflict, InvalidInput, NotFound, StorageError, StorageFull, TooLarge
from weighbridge.hub.git import blob_hasher, blob_oid, lfs_pointer

MAX_FILE_BYTES = 5 << 40
MAX_TEXT_BYTES = 1 << 20
"""Past it a file is an LFS file whatever it holds (docs/format.md section 3), so nobody asks whether it is text."""
MAX_OPEN_PER_ACCOUNT = 256
RESERVE_BYTES = 64 << 20
"""Kept free for the database, which must be able to say no."""
EXPIRES_AFTER_MS = 24 * 3600 * 1000
SWEEP_EVERY_MS = 600 * 1000
_HASH_PIECE_BYTES = 1 << 20
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class UploadFacts(Struct, frozen=True, kw_only=True):
    """What is known of a complete upload. ``git_oid``: of the blob that a commit has of it, itself or its pointer."""

    sha256: str
    git_oid: str
    size_bytes: int
    is_text: bool


class _Ticket(Struct, frozen=True, kw_only=True):
    """``incoming/<id>.json``: whose upload it is."""

    repo_id: str
    account_id: str
    size_bytes: int
    created_ms: int


class Incoming:
    """One upload. ``append`` and ``finish`` block and are for one thread at a time; ``turn`` sees to that."""

    def __init__(self, upload_id: str, path: Path, ticket: _Ticket) -> None:
        self.id = upload_id
        self.path = path
        self.repo_id = ticket.repo_id
        self.account_id = ticket.account_id
        self.size_bytes = ticket.size_bytes
        self.created_ms = ticket.created_ms
        self.turn = asyncio.Lock()  # held by the one request that sends bytes
        self.receiver: asyncio.Task[None] | None = None  # set by whoever holds ``turn``; cancelled by who wants it
        self._sha256 = hashlib.sha256()
        # A longer file is an LFS file, and git never sees its bytes: a second hash over them would serve nobody.
        self._sha1 = blob_hasher(ticket.size_bytes) if ticket.size_bytes <= MAX_TEXT_BYTES else None
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        self.offset = 0  # owned by the thread that appends
        self._caught_up = os.fstat(self._file).st_size == 0

    @property
    def complete(self) -> bool:
        """True when every byte is here."""
        return self.offset == self.size_bytes

    @asynccontextmanager
    async def claim(self) -> AsyncGenerator[None]:
        """Holds the turn. Whoever is still receiving on a connection that died without a word is stopped."""
        if self.receiver is not None:
            self.receiver.cancel()
        async with self.turn:
            if self._file < 0:
                raise NotFound(f"could not go on with upload {self.id}: it is finished, or was given up")
            if not self._caught_up:
                await asyncio.to_thread(self._catch_up)
            yield

    def _catch_up(self) -> None:
        # What the file holds was received by a process that is gone.
        os.lseek(self._file, 0, os.SEEK_SET)
        while piece := os.read(self._file, _HASH_PIECE_BYTES):
            self._hash(piece)
            self.offset += len(piece)
        if self.offset > self.size_bytes:
            raise StorageError(f"could not go on with upload {self.id}: its file is longer than the upload")
        self._caught_up = True

    def append(self, pieces: Sequence[bytes]) -> None:
        """Writes and hashes the next bytes.

        Raises:
            StorageFull: no space; the upload is of no more use, and must be removed.
        """
        for piece in pieces:
            self._write(piece)
            self._hash(piece)
            self.offset += len(piece)

    def finish(self) -> UploadFacts:
        """Digests of the complete file, which is on the disk for good once this returns.

        Raises:
            Conflict: bytes are missing.
            StorageFull: no space.
        """
        if not self.complete:
            raise Conflict(f"could not finish upload {self.id}: {self.size_bytes - self.offset} bytes are missing")
        try:
            os.fsync(self._file)
        except OSError as error:
            raise _write_error(error) from error
        sha256 = self._sha256.hexdigest()
        if self._sha1 is None:
            pointer = blob_oid(lfs_pointer(sha256, self.size_bytes))
            return UploadFacts(sha256=sha256, git_oid=pointer, size_bytes=self.size_bytes, is_text=False)
        is_text = _is_text(os.pread(self._file, self.size_bytes, 0))
        return UploadFacts(sha256=sha256, git_oid=self._sha1.hexdigest(), size_bytes=self.size_bytes, is_text=is_text)

    def close(self) -> None:
        """Gives the file descriptor back; the file stays."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _hash(self, piece: bytes) -> None:
        self._sha256.update(piece)
        if self._sha1 is not None:
            self._sha1.update(piece)

    def _write(self, piece: bytes) -> None:
        view = memoryview(piece)
        while view:
            try:
                view = view[os.write(self._file, view) :]
            except OSError as error:
                raise _write_error(error) from error


class IncomingFolder:
    """Every upload under way. ``_open`` and ``_swept_ms`` are owned by the event loop's thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[str, Incoming] = {}
        self._swept_ms = 0

    def create(self, *, repo_id: str, account_id: str, size_bytes: int, now_ms: int) -> Incoming:
        """A new upload, at offset 0.

        Raises:
            TooLarge: the file, or the number of this account's uploads under way.
            StorageFull: it would not fit.
        """
        self._sweep(now_ms)
        if size_bytes > MAX_FILE_BYTES:
            raise TooLarge(f"could not accept a file of {size_bytes} bytes: at most {MAX_FILE_BYTES}")
        if sum(upload.account_id == account_id for upload in self._open.values()) >= MAX_OPEN_PER_ACCOUNT:
            raise TooLarge(
                f"could not begin an upload: {MAX_OPEN_PER_ACCOUNT} of this account's are under way",
                hint="Finish or delete some; those left alone end by themselves after a day.",
            )
        free = shutil.disk_usage(self._folder).free
        if size_bytes + RESERVE_BYTES > free:
            raise StorageFull(f"could not accept a file of {size_bytes} bytes: the hub has {free} bytes free")
        ticket = _Ticket(repo_id=repo_id, account_id=account_id, size_bytes=size_bytes, created_ms=now_ms)
        upload_id = secrets.token_hex(16)
        try:
            self._ticket_path(upload_id).write_bytes(msgspec.json.encode(ticket))
            upload = self._open[upload_id] = Incoming(upload_id, self._folder / upload_id, ticket)
        except OSError as error:
            self._ticket_path(upload_id).unlink(missing_ok=True)
            raise _write_error(error) from error
        return upload

    def find(self, upload_id: str, *, account_id: str) -> Incoming:
        """The upload of that id, if it is this account's.

        Raises:
            NotFound: no such upload of this account.
        """
        upload = self._open.get(upload_id)
        if upload is None:
            upload = self._reopen(upload_id)
        if upload is None or upload.account_id != account_id:
            raise NotFound(f"could not find upload {upload_id[:64]}", hint="It is finished, or was left for a day.")
        return upload

    def remove(self, upload: Incoming) -> None:
        """Forgets an upload and what was received of it."""
        self._open.pop(upload.id, None)
        upload.close()
        upload.path.unlink(missing_ok=True)
        self._ticket_path(upload.id).unlink(missing_ok=True)

    def _reopen(self, upload_id: str) -> Incoming | None:
        if len(upload_id) != 32 or not set(upload_id) <= set("0123456789abcdef"):
            return None
        try:
            ticket = msgspec.json.decode(self._ticket_path(upload_id).read_bytes(), type=_Ticket)
        except (OSError, msgspec.DecodeError):
            return None
        upload = self._open[upload_id] = Incoming(upload_id, self._folder / upload_id, ticket)
        return upload

    def _sweep(self, now_ms: int) -> None:
        if now_ms - self._swept_ms < SWEEP_EVERY_MS:
            return
        self._swept_ms = now_ms
        for ticket in self._folder.glob("*.json"):
            upload_id = ticket.name.removesuffix(".json")
            upload = self._open.get(upload_id)
            data = self._folder / upload_id
            newest_ns = max(path.stat().st_mtime_ns for path in (ticket, data) if path.exists())
            if now_ms - newest_ns // 1_000_000 < EXPIRES_AFTER_MS or (upload is not None and upload.turn.locked()):
                continue
            if upload is not None:
                self.remove(upload)
            data.unlink(missing_ok=True)
            ticket.unlink(missing_ok=True)

    def _ticket_path(self, upload_id: str) -> Path:
        return self._folder / f"{upload_id}.json"


def parse_length(text: str | None) -> int:
    """The value of ``Upload-Length`` or ``Upload-Offset``.

    Raises:
        InvalidInput: it is not there, or no such number.
    """
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 18:
        raise InvalidInput(f"could not read the length or offset {text!r}: a decimal number is needed")
    return int(text)


def _is_text(content: bytes) -> bool:
    if b"\0" in content:
        return False
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _write_error(error: OSError) -> StorageFull | StorageError:
    if error.errno in _FULL:
        return StorageFull(f"could not write what was sent: {os.strerror(error.errno or 0)}")
    return StorageError(f"could not write what was sent: {error}")
