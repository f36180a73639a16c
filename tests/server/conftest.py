"""A real server of ours over a tiny application that sends blobs, in a thread of its own."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from weighbridge.http.blobs import send_blob
from weighbridge.http.server import Server, ZeroCopyProtocol, listen, server_config
from weighbridge.settings import load_settings
from weighbridge.storage.blobs import BlobStore, open_local_blobs


class Served:
    """Files of a blob store served by name at ``/NAME``; ``ended`` is how each request ended, newest last."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: dict[str, bytes] = {}
        self.ended: list[str] = []
        self.port = 0
        self.protocol: type[ZeroCopyProtocol] = ZeroCopyProtocol
        self.tasks: Callable[[], int] = lambda: 0
        self._store: BlobStore | None = None
        self._stop: Callable[[], None] = lambda: None

    def add(self, name: str, content: bytes) -> bytes:
        """Makes ``content`` served at ``/name``."""
        self.files[name] = content
        sha256 = hashlib.sha256(content).hexdigest()
        path = self.folder / "blobs" / sha256[:2] / sha256
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return content

    async def app(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI: ``/stream/NAME`` hides the extension and the folder from the response."""
        request = Request(scope, receive)
        name = request.url.path[1:]
        store: Any = self._store
        if name.startswith("stream/"):
            name, store = name.removeprefix("stream/"), Remote(self._store)
        content = self.files[name]
        sha256 = hashlib.sha256(content).hexdigest()
        response = send_blob(
            request, sha256, len(content), etag=f'"{sha256}"', filename=name, headers={"X-Extra": "yes"}, blobs=store
        )
        try:
            await response(scope, receive, send)
        except BaseException as error:
            self.ended.append(type(error).__name__)
            if type(error).__name__ != "ClientDisconnect":
                raise
        else:
            self.ended.append("done")

    def run(self, ready: threading.Event) -> None:
        """Serves until ``stop``; the thread's body."""

        async def serve() -> None:
            self._store = open_local_blobs(self.folder / "blobs")
            config = server_config(self.app, load_settings({"data": self.folder, "stop_timeout_s": 1}))
            config.http = self.protocol  # type: ignore[assignment]
            server = Server(config)
            listening = listen("127.0.0.1", 0)
            self.port = listening.getsockname()[1]
            self.tasks = lambda: len(server.server_state.tasks)
            loop = asyncio.get_running_loop()
            self._stop = lambda: loop.call_soon_threadsafe(setattr, server, "should_exit", True)
            ready.set()
            await server.serve([listening])
            await self._store.close()

        uvloop.run(serve())

    def stop(self) -> None:
        """Stops the server."""
        stop, self._stop = self._stop, lambda: None
        stop()


class Remote:
    """A store whose blobs are no local files, over one whose are: what S3 looks like to ``send_blob``."""

    def __init__(self, store: BlobStore | None) -> None:
        assert store is not None
        self._store = store

    def local_path(self, sha256: str) -> None:
        """No file."""

    def stream(self, sha256: str, *, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """As the store below."""
        return self._store.stream(sha256, start=start, end=end)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A running server; ``served.port`` is where."""
    yield from _serve(Served(tmp_path))


@pytest.fixture
def impatient(tmp_path: Path) -> Iterator[Served]:
    """The same, for a client that takes nothing it waits a moment only."""

    class Impatient(ZeroCopyProtocol):
        send_timeout_s = 0.2

    found = Served(tmp_path)
    found.protocol = Impatient
    yield from _serve(found)


def _serve(found: Served) -> Iterator[Served]:
    ready = threading.Event()
    thread = threading.Thread(target=found.run, args=(ready,))
    thread.start()
    assert ready.wait(10)
    yield found
    found.stop()
    thread.join(20)
    assert not thread.is_alive()
