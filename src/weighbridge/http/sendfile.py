"""One range of a file on its way into one socket, by the kernel's sendfile, under an event loop.

await FileSending(loop, socket_fd, file_fd, offset=0, count=n, timeout_s=60).run()
"""

from __future__ import annotations

import asyncio
import os

PIECE_BYTES = 1 << 20
"""Most bytes a turn of the event loop: other connections get theirs in between, and a turn takes well under 1 ms."""


class FileSending:
    """``left`` is the number of bytes that are not in the kernel yet.

    A piece that is not in the page cache is sent from a thread, so that a slow disk delays this client alone.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, descriptor: int, file: int, *, offset: int, count: int, timeout_s: float
    ) -> None:
        self.left = count
        self._loop = loop
        self._descriptor = descriptor
        self._file = file
        self._offset = offset
        self._timeout_s = timeout_s
        self._stopped = False
        self._waiting: asyncio.Future[None] | None = None

    async def run(self) -> None:
        """Returns when all is sent, when the file ends early (``left`` tells), or after ``stop``.

        Raises:
            ConnectionError: the client has gone.
            TimeoutError: the client took nothing for ``timeout_s``.
        """
        while self.left and not self._stopped:
            try:
                if self._in_memory():
                    sent = self._send()
                    await asyncio.sleep(0)
                else:
                    sent = await self._send_in_thread()
            except BlockingIOError:
                await self._writable()
                continue
            if sent == 0:
                return
            self._offset += sent
            self.left -= sent

    def stop(self) -> None:
        """Makes ``run`` return soon: the connection is lost."""
        self._stopped = True
        self._wake()

    def _send(self) -> int:
        return os.sendfile(self._descriptor, self._file, self._offset, min(self.left, PIECE_BYTES))

    async def _send_in_thread(self) -> int:
        sending = self._loop.run_in_executor(None, self._send)
        try:
            return await asyncio.shield(sending)
        except asyncio.CancelledError:
            # Our caller closes both descriptors next; the thread must not meet their numbers reused.
            await asyncio.wait((sending,))
            raise

    def _in_memory(self) -> bool:
        """False when the end of the next piece would have to come from the disk; True where that cannot be asked."""
        last = self._offset + min(self.left, PIECE_BYTES) - 1
        try:
            os.preadv(self._file, [bytearray(1)], last, os.RWF_NOWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True

    async def _writable(self) -> None:
        self._waiting = self._loop.create_future()
        timer = self._loop.call_later(self._timeout_s, self._give_up)
        self._loop.add_writer(self._descriptor, self._wake)
        try:
            await self._waiting
        finally:
            self._loop.remove_writer(self._descriptor)
            timer.cancel()
            self._waiting = None

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def _give_up(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(TimeoutError())
