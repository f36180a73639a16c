"""Sends files to a hub: what it lacks, two at a time, each byte read and hashed once, on from where it was broken off.

sender = Sender(client, repo_path, memory, on_bytes=bar.advance)
digests = sender.send_all(folder.files)        # {path: sha256}
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import Any

from weighbridge.cli.console import HubUnreachable
from weighbridge.cli.hub_client import PIECE_BYTES, Answer, HubClient
from weighbridge.cli.releasing.folder import LocalFile, changed, check_all_unchanged, check_unchanged
from weighbridge.cli.releasing.memory import Memory
from weighbridge.errors import Conflict, NotFound, UnreadableFile

AT_ONCE = 2
ASKED_AT_ONCE = 1000
IN_ONE_REQUEST_BYTES = 4 << 20
"""Up to this size a file goes in the request that begins its upload; larger ones can be broken off and gone on with."""
ATTEMPTS = 6


class Interrupted(Exception):
    """The person at the keyboard stopped it."""


class Sender:
    """Sends to one repo. ``sent_bytes`` and ``skipped_bytes`` are guarded by ``_lock``."""

    def __init__(
        self, client: HubClient, repo_path: str, memory: Memory, *, on_bytes: Callable[[LocalFile, int], None]
    ) -> None:
        self.sent_bytes = 0
        self.skipped_bytes = 0
        self._client = client
        self._repo_path = repo_path
        self._place = client.url + repo_path
        self._memory = memory
        self._on_bytes = on_bytes
        self._stop = threading.Event()
        self._lock = threading.Lock()

    def send_all(self, files: list[LocalFile]) -> dict[str, str]:
        """The sha256 of each file by path; the hub has all of them when this returns.

        Raises:
            UnreadableFile: a file cannot be read, or changed meanwhile.
            HubUnreachable: the hub is gone for good.
            WeighbridgeError: the hub's own refusal.
        """
        digests = self._skip_known(files)
        rest = [file for file in files if file.path not in digests]
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="send") as threads:
            futures = {threads.submit(self._send, file): file for file in rest}
            try:
                done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            except BaseException:
                self._stop.set()
                threads.shutdown(wait=True, cancel_futures=True)
                raise
            failure = next((error for future in done if (error := future.exception()) is not None), None)
            if failure is not None:
                self._stop.set()
                threads.shutdown(wait=True, cancel_futures=True)
                raise failure
            digests.update({file.path: future.result() for future, file in futures.items()})
        check_all_unchanged(files)
        return digests

    def _skip_known(self, files: list[LocalFile]) -> dict[str, str]:
        """Digests of what need not be sent: hashed in an earlier run, and the hub says that it has it from us."""
        known = {file: sha256 for file in files if (sha256 := self._memory.sha256_of(file)) is not None}
        skip: dict[str, str] = {}
        asked = list(known.items())
        for start in range(0, len(asked), ASKED_AT_ONCE):
            batch = asked[start : start + ASKED_AT_ONCE]
            here = self._have([(sha256, file.size_bytes) for file, sha256 in batch])
            for file, sha256 in batch:
                if sha256 in here:
                    skip[file.path] = sha256
                    self.skipped_bytes += file.size_bytes
                    self._on_bytes(file, file.size_bytes)
        return skip

    def _have(self, wanted: list[tuple[str, int]]) -> set[str]:
        body = {"files": [{"sha256": sha256, "size_bytes": size} for sha256, size in wanted]}
        return set(self._client.json("POST", f"{self._repo_path}/have", body)["have"])

    def _send(self, file: LocalFile) -> str:
        try:
            handle = os.open(file.source, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0))
        except OSError as error:
            raise UnreadableFile(f"could not read {file.path}: {error.strerror}") from error
        try:
            check_unchanged(file, handle)
            passage = _Passage(file, handle, self._stop, on_hashed=self._on_bytes, on_sent=self._count)
            send = self._send_small if file.size_bytes <= IN_ONE_REQUEST_BYTES else self._send_large
            facts = send(passage)
            check_unchanged(file, handle)
        finally:
            os.close(handle)
        if facts["sha256"] != passage.sha256 or facts["size_bytes"] != file.size_bytes:
            raise changed(file)
        self._memory.keep_sha256(file, passage.sha256)
        return passage.sha256

    def _send_small(self, passage: _Passage) -> Any:
        headers = {"Upload-Length": str(passage.file.size_bytes), "Upload-Complete": "?1"}
        for attempt in range(1, ATTEMPTS + 1):
            content = b"".join(passage.pieces(0))
            try:
                return self._client.send("POST", f"{self._repo_path}/uploads", body=content, headers=headers).body
            except HubUnreachable as error:
                self._pause(attempt, error)
        raise AssertionError

    def _send_large(self, passage: _Passage) -> Any:
        url = self._memory.upload_of(self._place, passage.file)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                url, offset = self._resume(url, passage)
                if url is None:
                    return self._answer_of(passage)
                answer = self._patch(url, offset, passage)
                if answer.status == 200:
                    self._memory.forget_upload(self._place, passage.file)
                    return answer.body
            except HubUnreachable as error:
                self._pause(attempt, error)
            except Conflict:
                if attempt == ATTEMPTS:
                    raise
        raise HubUnreachable(f"could not send {passage.file.path}: the connection broke {ATTEMPTS} times")

    def _resume(self, url: str | None, passage: _Passage) -> tuple[str | None, int]:
        """Where to go on, and from which byte; no place when the hub has it all already."""
        if url is not None:
            try:
                head = self._client.send("HEAD", url)
                return url, int(head.headers["Upload-Offset"])
            except NotFound:
                self._memory.forget_upload(self._place, passage.file)
        if passage.is_complete and passage.sha256 in self._have([(passage.sha256, passage.file.size_bytes)]):
            # The answer to the last byte was lost: the upload is finished and gone.
            return None, 0
        headers = {"Upload-Length": str(passage.file.size_bytes), "Content-Length": "0"}
        url = self._client.send("POST", f"{self._repo_path}/uploads", headers=headers).headers["Location"]
        self._memory.keep_upload(self._place, passage.file, url)
        return url, 0

    def _patch(self, url: str, offset: int, passage: _Passage) -> Answer:
        headers = {
            "Upload-Offset": str(offset),
            "Upload-Complete": "?1",
            "Content-Type": "application/partial-upload",
            "Content-Length": str(passage.file.size_bytes - offset),
        }
        return self._client.send("PATCH", url, body=passage.pieces(offset), headers=headers)

    def _answer_of(self, passage: _Passage) -> dict[str, Any]:
        return {"sha256": passage.sha256, "size_bytes": passage.file.size_bytes}

    def _pause(self, attempt: int, error: HubUnreachable) -> None:
        if attempt == ATTEMPTS:
            raise error
        if self._stop.wait(0.5 * attempt):
            raise Interrupted

    def _count(self, size_bytes: int) -> None:
        with self._lock:
            self.sent_bytes += size_bytes


class _Passage:
    """One file on its way. Each byte is hashed once, however often the connection breaks; one thread owns it."""

    def __init__(
        self,
        file: LocalFile,
        handle: int,
        stop: threading.Event,
        *,
        on_hashed: Callable[[LocalFile, int], None],
        on_sent: Callable[[int], None],
    ) -> None:
        self.file = file
        self._handle = handle
        self._stop = stop
        self._on_hashed = on_hashed
        self._on_sent = on_sent
        self._hash = hashlib.sha256()
        self._hashed_bytes = 0

    @property
    def is_complete(self) -> bool:
        """Whether every byte was read."""
        return self._hashed_bytes == self.file.size_bytes

    @property
    def sha256(self) -> str:
        """Of what was read so far."""
        return self._hash.hexdigest()

    def pieces(self, offset: int) -> Iterator[bytes]:
        """The bytes from ``offset``; those before it, which the hub has, are only hashed."""
        at = min(self._hashed_bytes, offset)
        while at < self.file.size_bytes:
            end = offset if at < offset else self.file.size_bytes
            piece = os.pread(self._handle, min(PIECE_BYTES, end - at), at)
            if self._stop.is_set():
                raise Interrupted
            if not piece:
                raise changed(self.file)
            fresh = at + len(piece) - self._hashed_bytes
            if fresh > 0:
                self._hash.update(piece[-fresh:] if fresh < len(piece) else piece)
                self._hashed_bytes += fresh
                self._on_hashed(self.file, fresh)
            if at >= offset:
                yield piece
                self._on_sent(len(piece))
            at += len(piece)
