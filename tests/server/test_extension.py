"""The ASGI extension itself, for applications that use more of it than `send_blob` does."""

from __future__ import annotations

import asyncio
import datetime
import http.client
import ipaddress
import os
import random
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from weighbridge.http.sendfile import PIECE_BYTES, FileSending
from weighbridge.http.server import EXTENSION, Server, listen, server_config
from weighbridge.settings import load_settings

CONTENT = random.Random(3).randbytes(3 * PIECE_BYTES + 77)
App = Callable[[Any, Any, Any], Awaitable[None]]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    return path


class Once:
    """A server over one application, for the time of a `with` block."""

    def __init__(self, app: App, folder: Path, **config: Any) -> None:
        self.port = 0
        self._app, self._folder, self._config = app, folder, config
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: uvloop.run(self._serve()))

    async def _serve(self) -> None:
        config = server_config(self._app, load_settings({"data": self._folder, "stop_timeout_s": 1}))
        for name, value in self._config.items():
            setattr(config, name, value)
        server, listening = Server(config), listen("127.0.0.1", 0)
        self.port = listening.getsockname()[1]
        loop = asyncio.get_running_loop()
        self._stop = lambda: loop.call_soon_threadsafe(setattr, server, "should_exit", True)
        self._ready.set()
        await server.serve([listening])

    def __enter__(self) -> Once:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        self._thread.join(20)
        assert not self._thread.is_alive()


def start(*headers: tuple[bytes, bytes]) -> dict[str, Any]:
    return {"type": "http.response.start", "status": 200, "headers": list(headers)}


def length(count: int) -> tuple[bytes, bytes]:
    return (b"content-length", str(count).encode())


def test_bytes_and_files_in_one_chunked_answer(file: Path, tmp_path: Path) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        with file.open("rb") as opened:
            await send(start())
            await send({"type": "http.response.body", "body": b"head;", "more_body": True})
            await send({"type": EXTENSION, "file": opened, "offset": 5, "count": 2 * PIECE_BYTES, "more_body": True})
            await send({"type": EXTENSION, "file": opened.fileno(), "count": 0, "more_body": True})
            opened.seek(len(CONTENT) - 100)
            await send({"type": EXTENSION, "file": opened, "more_body": True})
            await send({"type": "http.response.body", "body": b";tail"})

    with Once(app, tmp_path) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        for _ in range(2):
            connection.request("GET", "/")
            answer = connection.getresponse()
            assert answer.getheader("transfer-encoding") == "chunked"
            assert answer.read() == b"head;" + CONTENT[5 : 5 + 2 * PIECE_BYTES] + CONTENT[-100:] + b";tail"
        connection.close()


def test_several_files_make_up_one_content_length(file: Path, tmp_path: Path) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        with file.open("rb") as opened:
            await send(start(length(200_003)))
            await send({"type": EXTENSION, "file": opened, "offset": 0, "count": 100_000, "more_body": True})
            await send({"type": "http.response.body", "body": b"mid", "more_body": True})
            await send({"type": EXTENSION, "file": opened, "offset": 7, "count": 100_000})

    with Once(app, tmp_path) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        connection.request("GET", "/")
        assert connection.getresponse().read() == CONTENT[:100_000] + b"mid" + CONTENT[7:100_007]
        connection.close()


@pytest.mark.parametrize("wrong", ["too long", "before the headers", "after the end"])
def test_a_message_that_does_not_fit_is_refused(file: Path, tmp_path: Path, wrong: str) -> None:
    said: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            with file.open("rb") as opened:
                message = {"type": EXTENSION, "file": opened, "offset": 0, "count": 50}
                if wrong == "before the headers":
                    await send(message)
                await send(start(length(49 if wrong == "too long" else 50)))
                await send(message)
                await send(message)
        except RuntimeError as error:
            said.append(str(error))
            raise

    with Once(app, tmp_path) as server, socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        got = b"".join(iter(lambda: client.recv(1 << 16), b""))
    assert said == [
        "could not send a file: it is longer than Content-Length"
        if wrong == "too long"
        else f"could not send a file: {EXTENSION} is not expected now"
    ]
    assert got.startswith(b"HTTP/1.1 500" if wrong == "before the headers" else b"HTTP/1.1 200")


def make_certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hub.test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, private = folder / "cert.pem", folder / "key.pem"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return pem, private


@pytest.mark.parametrize("tls", [True, False])
def test_it_is_offered_without_tls_only(tmp_path: Path, tls: bool) -> None:
    # Under TLS the bytes must pass through the cipher in this process: the kernel would send them in the clear.
    async def app(scope: Any, receive: Any, send: Any) -> None:
        offered = b"offered" if EXTENSION in scope.get("extensions", {}) else b"not offered"
        await send(start(length(len(offered))))
        await send({"type": "http.response.body", "body": offered})

    pem, private = make_certificate(tmp_path)
    config = {"ssl_certfile": pem, "ssl_keyfile": private} if tls else {}
    with Once(app, tmp_path, **config) as server:
        if tls:
            context = ssl.create_default_context(cafile=pem)
            connection = http.client.HTTPSConnection("127.0.0.1", server.port, timeout=30, context=context)
        else:
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        connection.request("GET", "/")
        assert connection.getresponse().read() == (b"not offered" if tls else b"offered")
        connection.close()


class FromDisk(FileSending):
    """As when no piece is in the page cache: every one is sent from a thread."""

    def _in_memory(self) -> bool:
        return False


async def test_pieces_that_come_from_the_disk_are_sent_from_a_thread(file: Path) -> None:
    left, right = socket.socketpair()
    with left, right, file.open("rb") as opened:
        left.setblocking(False)
        sending = FromDisk(
            asyncio.get_running_loop(), left.fileno(), opened.fileno(), offset=9, count=len(CONTENT) - 9, timeout_s=30
        )
        reading = asyncio.create_task(asyncio.to_thread(read_all, right, len(CONTENT) - 9))
        await sending.run()
        assert await reading == CONTENT[9:]
        assert sending.left == 0


async def test_a_cold_file_arrives_whole(file: Path) -> None:
    left, right = socket.socketpair()
    with left, right, file.open("r+b") as opened:
        os.fsync(opened.fileno())
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        left.setblocking(False)
        sending = FileSending(
            asyncio.get_running_loop(), left.fileno(), opened.fileno(), offset=0, count=len(CONTENT), timeout_s=30
        )
        reading = asyncio.create_task(asyncio.to_thread(read_all, right, len(CONTENT)))
        await sending.run()
        assert await reading == CONTENT


@pytest.mark.parametrize("kind", [FileSending, FromDisk])
async def test_cancelling_while_the_client_takes_nothing(file: Path, kind: type[FileSending]) -> None:
    left, right = socket.socketpair()
    with left, right, file.open("rb") as opened:
        left.setblocking(False)
        sending = kind(
            asyncio.get_running_loop(), left.fileno(), opened.fileno(), offset=0, count=len(CONTENT), timeout_s=30
        )
        running = asyncio.create_task(sending.run())
        await asyncio.sleep(0.1)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert 0 < sending.left < len(CONTENT)


def read_all(taker: socket.socket, count: int) -> bytes:
    got = bytearray()
    while len(got) < count and (piece := taker.recv(1 << 20)):
        got += piece
    return bytes(got)
