"""uvicorn, with the ASGI extension ``http.response.zerocopysend`` by the kernel's sendfile.

An application that finds ``http.response.zerocopysend`` among ``scope["extensions"]`` may send, after the headers,
``{"type": "http.response.zerocopysend", "file": fd, "offset": 0, "count": n, "more_body": False}`` (ASGI specification,
"Zero Copy Send"): the bytes go from the page cache to the socket and never enter this process. uvicorn has no such
thing and uvloop does not implement ``loop.sendfile``; so we write to a duplicate of the socket's descriptor, which the
loop can watch beside the transport that owns the original. Offered on Linux, without TLS.

    await run_server(app, settings, listening_socket)
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

import uvicorn
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from weighbridge.http.sendfile import FileSending
from weighbridge.settings import Settings

EXTENSION = "http.response.zerocopysend"

SEND_TIMEOUT_S = 60.0
"""A client that takes no byte for so long is cut off, as by nginx's ``send_timeout``."""

JOIN_BYTES = 64 << 10
"""Up to here, copying a body behind its headers costs less than a write of its own."""

KEEP_ALIVE_S = 60
BACKLOG = 1024

Message = Mapping[str, Any]
App = Callable[[Any, Any, Any], Awaitable[None]]


class ZeroCopyProtocol(HttpToolsProtocol):
    """uvicorn's httptools protocol whose applications may send files."""

    send_timeout_s = SEND_TIMEOUT_S
    sending: FileSending | None = None
    """The file being sent now; owned by the running request, woken by ``connection_lost``."""

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        if self.scheme == "http" and sys.platform == "linux":
            app = _with_files(app, self, cycle)
        super()._start_asgi_task(cycle, app)

    def connection_lost(self, exc: Exception | None) -> None:
        """Also wakes a file that waits for the client to take more."""
        super().connection_lost(exc)
        if self.sending is not None:
            self.sending.stop()

    async def send_file(self, cycle: RequestResponseCycle, message: Message) -> None:
        """Answers one zerocopysend message.

        Raises:
            ConnectionError: the client has gone.
            RuntimeError: the message does not fit what was announced.
        """
        if not cycle.response_started or cycle.response_complete:
            raise RuntimeError(f"could not send a file: {EXTENSION} is not expected now")
        file, offset, count = _range_of(message)
        if cycle.scope["method"] != "HEAD" and count:
            if cycle.chunked_encoding:
                self.transport.write(b"%x\r\n" % count)
            elif count > cycle.expected_content_length:
                raise RuntimeError("could not send a file: it is longer than Content-Length")
            await self._copy(cycle, file, offset=offset, count=count)
            if cycle.chunked_encoding:
                self.transport.write(b"\r\n")
            else:
                cycle.expected_content_length -= count
        await cycle.send({"type": "http.response.body", "body": b"", "more_body": message.get("more_body", False)})

    async def _copy(self, cycle: RequestResponseCycle, file: int, *, offset: int, count: int) -> None:
        await self._flush(cycle)
        descriptor = os.dup(self.transport.get_extra_info("socket").fileno())
        sending = FileSending(self.loop, descriptor, file, offset=offset, count=count, timeout_s=self.send_timeout_s)
        try:
            self.sending = sending
            await sending.run()
            _check_client(cycle)
            if sending.left:
                raise RuntimeError(f"could not send a file: it ended {sending.left} bytes early")
        except (ConnectionError, TimeoutError):
            cycle.disconnected = True
            _reset(descriptor)
            self.transport.abort()
            raise ConnectionResetError("the client has gone") from None
        finally:
            self.sending = None
            os.close(descriptor)

    async def _flush(self, cycle: RequestResponseCycle) -> None:
        """Returns when what was written to the transport (the headers) is in the kernel."""
        _check_client(cycle)
        if self.transport.get_write_buffer_size():
            self.transport.set_write_buffer_limits(high=0)
            await self.flow.drain()
            _check_client(cycle)
            self.transport.set_write_buffer_limits()


def _with_files(app: App, protocol: ZeroCopyProtocol, cycle: RequestResponseCycle) -> App:
    async def run(scope: Any, receive: Any, send: Any) -> None:
        head = cast(Any, _Head(protocol.transport))

        async def send_any(message: Any) -> None:
            kind = message["type"]
            if kind == "http.response.start" and scope["method"] != "HEAD":
                cycle.transport = head
                await send(message)
            elif kind == EXTENSION:
                head.release()
                await protocol.send_file(cycle, message)
            else:
                await send(message)

        scope.setdefault("extensions", {})[EXTENSION] = {}
        try:
            await app(scope, receive, send_any)
        finally:
            head.release()
            cycle.transport = protocol.transport

    return run


class _Head:
    """Stands in for a cycle's transport: keeps the headers until the first piece of the body, and writes both at once.

    uvicorn writes them one after the other; the second system call and the client's second waking cost more than a
    whole answer's SQL.
    """

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._kept: bytes | None = b""

    def write(self, data: bytes) -> None:
        """Keeps the first, writes it with the second, and every other one as it comes."""
        if self._kept is None:
            self._transport.write(data)
        elif not self._kept:
            self._kept = data
        else:
            kept, self._kept = self._kept, None
            self._transport.write(kept + data if len(data) < JOIN_BYTES else kept)
            if len(data) >= JOIN_BYTES:
                self._transport.write(data)

    def release(self) -> None:
        """Writes what is kept."""
        if self._kept:
            kept, self._kept = self._kept, None
            self._transport.write(kept)

    def close(self) -> None:
        """Closes the connection, once what is kept is written."""
        self.release()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def _range_of(message: Message) -> tuple[int, int, int]:
    """Descriptor, offset and count; as in the specification, without an offset from the file's own position."""
    given = message["file"]
    file = given if isinstance(given, int) else given.fileno()
    offset = message.get("offset")
    if offset is None:
        offset = os.lseek(file, 0, os.SEEK_CUR)
    count = message.get("count")
    if count is None:
        count = max(0, os.fstat(file).st_size - offset)
    return file, offset, count


def _reset(descriptor: int) -> None:
    """Makes closing send a reset, so that the kernel does not keep what the client never took."""
    with socket.socket(fileno=os.dup(descriptor)) as duplicate:
        duplicate.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _check_client(cycle: RequestResponseCycle) -> None:
    if cycle.disconnected:
        raise ConnectionResetError("the client has gone")


def listen(host: str, port: int) -> socket.socket:
    """A listening socket, so that a port in use is known before anything else starts.

    Raises:
        OSError: the address cannot be used.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    found = socket.socket(family, kind, protocol)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        found.listen(BACKLOG)
        found.setblocking(False)
    except OSError:
        found.close()
        raise
    return found


def server_config(app: App, settings: Settings) -> Config:
    """How uvicorn runs: our protocol, no log of its own (``logs.py`` and ``health.py`` write it)."""
    return Config(
        cast(Any, app),
        interface="asgi3",
        http=ZeroCopyProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=settings.stop_timeout_s,
    )


class Server(uvicorn.Server):
    """uvicorn's server without its signal handlers: ``cli/serve.py`` owns the signals and sets ``should_exit``."""

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serves until ``should_exit``; running requests finish within the stop timeout."""
        await self._serve(sockets)


async def run_server(app: App, settings: Settings, listening: socket.socket) -> None:
    """Serves ``app`` on a listening socket until cancelled; requests under way finish first."""
    server = Server(server_config(app, settings))
    serving = asyncio.ensure_future(server.serve([listening]))
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        server.should_exit = True
        await serving
        raise
