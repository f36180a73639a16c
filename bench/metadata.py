"""Requests a second of ``GET /api/models/ns/name``, and what one costs the server."""

from __future__ import annotations

import asyncio
import time
from urllib.parse import urlsplit

import uvloop

from bench.hub import REPO, BenchHub
from bench.measure import Row, absolute, cpu_seconds

CONNECTIONS = 8
REQUESTS = 6000
WARM_UP = 1000


def measure(hub: BenchHub, *, repeats: int) -> list[Row]:
    """For a reader without an account and for one with a token; the client runs in this process, on another core."""
    rows: list[Row] = []
    for who, token in (("anonymous", ""), ("with a token", hub.token)):
        costs: list[float] = []
        rates: list[float] = []
        uvloop.run(_ask(hub.url, token, WARM_UP))
        for _ in range(repeats):
            before, started = cpu_seconds(hub.pid), time.perf_counter()
            uvloop.run(_ask(hub.url, token, REQUESTS))
            rates.append((time.perf_counter() - started) / REQUESTS * 1e6)
            costs.append((cpu_seconds(hub.pid) - before) / REQUESTS * 1e6)
        rows.append(absolute(f"GET /api/models/ns/name, {who}: server CPU", "µs", costs, at_most=100))
        rows.append(absolute(f"GET /api/models/ns/name, {who}: wall, {CONNECTIONS} connections", "µs", rates))
    return rows


async def _ask(url: str, token: str, requests: int) -> None:
    where = urlsplit(url)
    lines = [f"GET /api/models/{REPO} HTTP/1.1", f"Host: {where.netloc}", "Accept: */*", "User-Agent: bench"]
    lines += [f"Authorization: Bearer {token}"] if token else []
    request = ("\r\n".join(lines) + "\r\n\r\n").encode()
    each = requests // CONNECTIONS
    await asyncio.gather(
        *(_connection(where.hostname or "", where.port or 80, request, each) for _ in range(CONNECTIONS))
    )


async def _connection(host: str, port: int, request: bytes, requests: int) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    for _ in range(requests):
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200 "):
            raise RuntimeError(f"the hub answered {head[:200]!r}")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        await reader.readexactly(length)
    writer.close()
    await writer.wait_closed()
