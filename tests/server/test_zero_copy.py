"""The kernel's sendfile under HTTP/1.1: the right bytes, the right framing, and clients that behave badly."""

from __future__ import annotations

import contextlib
import http.client
import os
import random
import socket
import struct
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.server.conftest import Served

MIB = 1 << 20
BIG = 24 * MIB + 12_345


@pytest.fixture(scope="module")
def big() -> bytes:
    return random.Random(7).randbytes(BIG)


def ask(port: int, path: str, *, method: str = "GET", headers: dict[str, str] | None = None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not what():
        assert time.monotonic() < deadline, "did not come true"
        time.sleep(0.01)


@pytest.mark.parametrize("prefix", ["", "stream/"])
@pytest.mark.parametrize("size", [0, 1, 64 << 10, (64 << 10) + 1, MIB - 1, MIB, MIB + 1, 5 * MIB + 3])
def test_whole_files_of_every_kind_of_size(served: Served, size: int, prefix: str) -> None:
    content = served.add("f.bin", random.Random(size).randbytes(size))
    status, headers, body = ask(served.port, f"/{prefix}f.bin")
    assert (status, body) == (200, content)
    assert headers["content-length"] == str(size)
    assert headers["accept-ranges"] == "bytes"
    assert headers["x-extra"] == "yes"
    assert "transfer-encoding" not in headers
    until(lambda: served.ended == ["done"])


@pytest.mark.parametrize("prefix", ["", "stream/"])
@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=1000000-", 1_000_000, BIG),
        ("bytes=-70000", BIG - 70_000, BIG),
        ("bytes=1048575-9437184", 1_048_575, 9_437_185),
        (f"bytes={BIG - 1}-{BIG + 500}", BIG - 1, BIG),
        (f"bytes=-{BIG * 2}", 0, BIG),
        ("bytes=0-", 0, BIG),
    ],
)
def test_ranges(served: Served, big: bytes, asked: str, start: int, end: int, prefix: str) -> None:
    served.add("f.bin", big)
    status, headers, body = ask(served.port, f"/{prefix}f.bin", headers={"Range": asked})
    assert status == 206
    assert body == big[start:end]
    assert headers["content-range"] == f"bytes {start}-{end - 1}/{BIG}"
    assert headers["content-length"] == str(end - start)


def test_head_has_the_headers_and_no_body(served: Served, big: bytes) -> None:
    served.add("f.bin", big)
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)
    for _ in range(3):
        connection.request("HEAD", "/f.bin", headers={"Range": "bytes=5-9"})
        answer = connection.getresponse()
        assert (answer.status, answer.getheader("content-length"), answer.read()) == (200, str(BIG), b"")
    connection.close()


def test_a_connection_is_kept_after_a_blob(served: Served, big: bytes) -> None:
    served.add("big.bin", big)
    small = served.add("small.bin", b"small")
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=30)
    local = None
    for round_ in range(6):
        for name, content in (("big.bin", big), ("small.bin", small)):
            start = round_ * 1_000_003 if name == "big.bin" else 0
            connection.request("GET", f"/{name}", headers={"Range": f"bytes={start}-"})
            answer = connection.getresponse()
            assert answer.read() == content[start:]
            assert connection.sock is not None
            local = local or connection.sock.getsockname()
            assert connection.sock.getsockname() == local, "the connection was not kept"
    connection.close()


def test_pipelined_requests_are_answered_in_order(served: Served, big: bytes) -> None:
    served.add("big.bin", big)
    served.add("small.bin", b"0123456789")
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as client:
        one = b"GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n"
        two = b"GET /small.bin HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        client.sendall(one + two)
        got = b"".join(iter(lambda: client.recv(MIB), b""))
    _, _, rest = got.partition(b"\r\n\r\n")
    assert rest[:BIG] == big
    assert rest[BIG:].startswith(b"HTTP/1.1 200 OK\r\n")
    assert rest.endswith(b"\r\n\r\n0123456789")


def test_http_1_0_closes_after_the_file(served: Served, big: bytes) -> None:
    served.add("big.bin", big)
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as client:
        client.sendall(b"GET /big.bin HTTP/1.0\r\n\r\n")
        got = b"".join(iter(lambda: client.recv(MIB), b""))
    head, _, body = got.partition(b"\r\n\r\n")
    assert b"connection: close" in head
    assert body == big


def test_a_slow_client_gets_every_byte_while_others_are_served(served: Served, big: bytes) -> None:
    served.add("big.bin", big)
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.settimeout(30)
        slow.connect(("127.0.0.1", served.port))
        slow.sendall(b"GET /big.bin HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        got = bytearray(slow.recv(2000))
        for _ in range(5):
            assert ask(served.port, "/big.bin", headers={"Range": "bytes=-2000000"})[2] == big[-2_000_000:]
            got += slow.recv(2000)
        while piece := slow.recv(MIB):
            got += piece
    assert bytes(got).partition(b"\r\n\r\n")[2] == big


@pytest.mark.parametrize("prefix", ["", "stream/"])
@pytest.mark.parametrize("reset", [True, False])
def test_a_client_that_goes_midway_ends_its_request(served: Served, big: bytes, reset: bool, prefix: str) -> None:
    served.add("big.bin", big)
    before = open_files()
    for _ in range(5):
        client = socket.create_connection(("127.0.0.1", served.port), timeout=30)
        client.sendall(f"GET /{prefix}big.bin HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert client.recv(1000).startswith(b"HTTP/1.1 200")
        if reset:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
    until(lambda: served.ended == ["ClientDisconnect"] * 5)
    until(lambda: served.tasks() == 0)
    until(lambda: open_files() <= before)
    assert ask(served.port, "/big.bin")[2] == big


def test_a_client_that_only_stops_sending_is_let_go(served: Served, big: bytes) -> None:
    # Half a close: uvicorn closes its side, and our duplicate of the socket must not keep the other half alive.
    served.add("big.bin", big)
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as client:
        client.sendall(b"GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(1000)
        client.shutdown(socket.SHUT_WR)
        until(lambda: served.ended == ["ClientDisconnect"])
        with contextlib.suppress(ConnectionResetError):
            while client.recv(MIB):
                pass


def test_a_client_that_takes_nothing_is_cut_off(impatient: Served, big: bytes) -> None:
    impatient.add("big.bin", big)
    with socket.create_connection(("127.0.0.1", impatient.port), timeout=30) as client:
        client.sendall(b"GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n")
        until(lambda: impatient.ended == ["ClientDisconnect"])
        with pytest.raises(ConnectionResetError):
            while client.recv(MIB):
                pass


def test_many_at_once_each_get_their_own_bytes(served: Served, big: bytes) -> None:
    served.add("big.bin", big)
    places = [random.Random(n).randrange(BIG - 3 * MIB) for n in range(48)]

    def fetch(start: int) -> bool:
        asked = {"Range": f"bytes={start}-{start + 3 * MIB - 1}"}
        return ask(served.port, "/big.bin", headers=asked)[2] == big[start : start + 3 * MIB]

    with ThreadPoolExecutor(24) as pool:
        assert all(pool.map(fetch, places))
    until(lambda: served.ended == ["done"] * 48)


def test_a_file_that_is_too_short_is_an_error_and_not_half_an_answer(served: Served) -> None:
    served.add("f.bin", b"x" * 200_000)
    path = next((served.folder / "blobs").glob("*/*"))
    os.truncate(path, 100_000)
    status, _, body = ask(served.port, "/f.bin")
    assert (status, body) == (500, b"Internal Server Error")


def test_a_file_that_shrinks_while_it_is_sent_breaks_the_connection(served: Served, big: bytes) -> None:
    served.add("big.bin", big)
    path = next((served.folder / "blobs").glob("*/*"))
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(30)
        client.connect(("127.0.0.1", served.port))
        client.sendall(b"GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n")
        got = len(client.recv(1000))
        os.truncate(path, 12 * MIB)
        while piece := client.recv(MIB):
            got += len(piece)
    assert got < BIG
    until(lambda: served.ended == ["RuntimeError"])


def test_stopping_lets_a_download_finish(served: Served, big: bytes) -> None:
    served.add("big.bin", big)
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as client:
        client.sendall(b"GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n")
        got = bytearray(client.recv(1000))
        threading.Timer(0.05, served.stop).start()
        time.sleep(0.2)
        while piece := client.recv(MIB):
            got += piece
    assert bytes(got).partition(b"\r\n\r\n")[2] == big


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
