"""The worker process that ``serve`` keeps running beside its web process.

    child = WorkerChild(settings)
    keeping = asyncio.create_task(child.keep())
    await child.stop(timeout_s=30)

The child holds the read end of a pipe as its standard input: when ``serve`` dies, however it dies, the pipe ends and
the worker stops.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time

import structlog

from weighbridge.settings import Settings, child_environment

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
HEALTHY_AFTER_S = 60.0

log = structlog.get_logger("weighbridge.serve")


class WorkerChild:
    """One worker process, started again when it dies."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """Process id of the worker that runs now."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    async def start(self) -> None:
        """Starts the process."""
        environment = {**os.environ, **child_environment(self._settings)}
        environment.pop("WEIGHBRIDGE_ADMIN_TOKEN", None)
        # A session of its own: Ctrl-C in a terminal reaches `serve` alone, which stops the worker in its turn.
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "weighbridge.worker", "--data", str(self._settings.data)),
            stdin=asyncio.subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )

    async def keep(self) -> None:
        """Waits for the process, and starts it again, ever slower, until ``stop``."""
        pause_s = FIRST_PAUSE_S
        while not self._stopping.is_set():
            started = time.monotonic()
            if self._process is None:
                await self.start()
            assert self._process is not None
            code = await self._process.wait()
            if self._stopping.is_set():
                return
            if time.monotonic() - started > HEALTHY_AFTER_S:
                pause_s = FIRST_PAUSE_S
            log.error("worker died; it is started again", exit_code=code, again_in_s=pause_s)
            self._process = None
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    async def stop(self, *, timeout_s: float) -> None:
        """Asks the worker to stop; after ``timeout_s`` makes it. Its workflows go on at the next start."""
        self._stopping.set()
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), timeout_s)
        except TimeoutError:
            log.warning("worker did not stop in time; it is killed", timeout_s=timeout_s)
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
