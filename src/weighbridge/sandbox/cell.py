"""The caller's side: starts a sandboxed process, asks it, and ends its process group when it does not behave."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeVar

import msgspec

from weighbridge.errors import SandboxError
from weighbridge.sandbox.frames import HEADER, Kind, pack, unpack_header
from weighbridge.sandbox.limits import JOBS, MAX_REPLY_BYTES, MAX_REQUEST_BYTES, Limits

T = TypeVar("T")
START_TIMEOUT_S = 60.0
GRACE_S = 1.0  # between the end of the output and the end of the process
_HINT = "A file may be made to break its reader. Nothing was accepted; report it with the file's name."


class _Hello(msgspec.Struct, frozen=True):
    isolation: tuple[str, ...]


class _Progress(msgspec.Struct, frozen=True):
    done: int


class _Failure(msgspec.Struct, frozen=True):
    message: str


class Cell:
    """One sandboxed process that answers requests of one job, one at a time. Use it as an async context manager.

    After a SandboxError the process is gone; a new cell is needed.
    """

    def __init__(self, job: str, limits: Limits | None = None) -> None:
        if job not in JOBS:
            raise ValueError(f"no such job: {job}")
        self.job = job
        self.limits = limits or Limits()
        self.isolation: tuple[str, ...] = ()
        self._process: asyncio.subprocess.Process | None = None  # owner: the one task that uses this cell

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self._process is not None and self._process.returncode is None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.end()

    async def start(self) -> None:
        """Starts the process and waits until it has isolated itself.

        Raises:
            SandboxError: it did not come up.
        """
        self._process = await asyncio.create_subprocess_exec(
            *self._command(),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
            env={}, cwd="/", start_new_session=True,
        )  # fmt: skip
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                kind, body = await self._next_frame()
                if kind != Kind.HELLO:
                    raise self._failure(kind, body)
                self.isolation = self._decode(body, _Hello).isolation
        except TimeoutError as error:
            await self.end()
            raise SandboxError(f"could not start the sandbox: no answer in {START_TIMEOUT_S:g} s") from error
        except BaseException:
            await self.end()
            raise

    async def ask(self, request: bytes, *, timeout_s: float, on_progress: Callable[[int], None] | None = None) -> bytes:
        """The job's answer to one request, as JSON that the caller must decode strictly.

        Raises:
            SandboxError: the job failed, crashed, ran out of its limits or of ``timeout_s``, or answered nonsense.
        """
        if len(request) > MAX_REQUEST_BYTES:
            raise SandboxError(
                f"could not ask the sandbox: {len(request)} bytes, at most {MAX_REQUEST_BYTES} are allowed"
            )
        try:
            async with asyncio.timeout(timeout_s):
                return await self._exchange(request, on_progress)
        except TimeoutError as error:
            await self.end()
            raise SandboxError(f"could not finish {self.job}: no answer in {timeout_s:g} s", hint=_HINT) from error
        except BaseException:
            await self.end()
            raise

    def _command(self) -> list[str]:
        """What is run. ``-I``: neither the environment nor the working directory decides what is imported."""
        limits = msgspec.json.encode(self.limits).decode()
        return [sys.executable, "-I", "-B", "-X", "utf8", "-m", "weighbridge.sandbox.child", self.job, limits]

    async def end(self) -> None:
        """Ends the process and all that it may have started; harmless when it is gone."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # its own session, hence its own group
        _stop_reading(process)
        # A cancelled caller must not leave a process behind: the wait is short, for it was killed.
        await asyncio.shield(process.wait())
        _close_pipes(process)

    async def _exchange(self, request: bytes, on_progress: Callable[[int], None] | None) -> bytes:
        process = self._process
        if process is None or process.stdin is None:
            raise SandboxError(f"could not ask the sandbox: {self.job} is not running")
        try:
            process.stdin.write(pack(Kind.ASK, request))
            await process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError) as error:
            raise await self._death() from error
        while True:
            kind, body = await self._next_frame()
            if kind == Kind.RESULT:
                return body
            if kind != Kind.PROGRESS:
                raise self._failure(kind, body)
            progress = self._decode(body, _Progress)
            if on_progress is not None:
                on_progress(progress.done)

    async def _next_frame(self) -> tuple[str, bytes]:
        process = self._process
        if process is None or process.stdout is None:
            raise SandboxError(f"could not ask the sandbox: {self.job} is not running")
        try:
            kind, size = unpack_header(await process.stdout.readexactly(HEADER.size))
            if not 0 <= size <= MAX_REPLY_BYTES:
                raise SandboxError(f"could not read the sandbox's answer: {size} bytes announced", hint=_HINT)
            return kind, await process.stdout.readexactly(size)
        except asyncio.IncompleteReadError as error:
            raise await self._death() from error

    async def _death(self) -> SandboxError:
        process = self._process
        try:
            status = await asyncio.wait_for(process.wait(), GRACE_S) if process is not None else 0
        except TimeoutError:
            return SandboxError(f"could not finish {self.job}: the sandboxed process closed its output", hint=_HINT)
        if status < 0:
            names = {member.value: member.name for member in signal.Signals}
            cause = f"ended by signal {names.get(-status, str(-status))}"
        else:
            cause = f"exited with status {status}"
        return SandboxError(f"could not finish {self.job}: the sandboxed process {cause}", hint=_HINT)

    def _failure(self, kind: str, body: bytes) -> SandboxError:
        if kind != Kind.ERROR:
            return SandboxError(f"could not read the sandbox's answer: unexpected frame {kind!r}", hint=_HINT)
        return SandboxError(f"could not finish {self.job}: {self._decode(body, _Failure).message}", hint=_HINT)

    @staticmethod
    def _decode(body: bytes, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(body, type=kind)
        except msgspec.MsgspecError as error:
            raise SandboxError(f"could not read the sandbox's answer: {error}", hint=_HINT) from error


def _stop_reading(process: asyncio.subprocess.Process) -> None:
    """Closes our ends of its pipes, before its end is waited for.

    asyncio's ``wait`` also waits for the end of the pipes, and never sees that of one whose reading is paused, as after
    a flood: a hostile file could have held a worker for ever.
    """
    transport = getattr(process, "_transport", None)
    for descriptor in (0, 1):
        pipe = transport.get_pipe_transport(descriptor) if transport is not None else None
        if pipe is not None:
            pipe.close()


def _close_pipes(process: asyncio.subprocess.Process) -> None:
    """Closes our ends at once; asyncio would leave it to the garbage collector, with a warning."""
    if process.stdin is not None:
        process.stdin.close()
    transport = getattr(process, "_transport", None)
    if transport is not None:
        transport.close()


async def run_job(
    job: str,
    request: bytes,
    *,
    limits: Limits | None = None,
    timeout_s: float,
    on_progress: Callable[[int], None] | None = None,
) -> tuple[bytes, tuple[str, ...]]:
    """The answer of a process made for this one request, and the isolation that was in force.

    Raises:
        SandboxError: as ``Cell.ask``.
    """
    async with Cell(job, limits) as cell:
        return await cell.ask(request, timeout_s=timeout_s, on_progress=on_progress), cell.isolation
