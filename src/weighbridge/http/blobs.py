"""Sends a stored file: whole, or the one range that is asked for (RFC 9110, sections 13 and 14).

    return send_blob(request, sha256, size_bytes, headers={"ETag": '"…"'}, filename="model.safetensors")

A blob in the local folder goes out by the kernel's sendfile where the server offers it (``server.py``); otherwise, and
from S3, in pieces. Authorisation is the caller's: whoever calls this has asked ``hub.access`` first.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import cast
from urllib.parse import quote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from weighbridge.bootstrap import Hub
from weighbridge.errors import StorageError
from weighbridge.http.server import EXTENSION
from weighbridge.storage.blobs import BlobStore

SMALL_BYTES = 64 << 10
"""Up to here one read and one write cost less than a sendfile and its descriptors."""

SAFE = {"x-content-type-options": "nosniff", "content-security-policy": "sandbox; default-src 'none'"}
"""A stored file is a stranger's: opened in a browser it must not act as a page of the hub."""

_RANGE = re.compile(r"bytes=\s*(?:(\d{1,19})\s*-\s*(\d{1,19})?|-\s*(\d{1,19}))\s*", re.IGNORECASE)


def send_blob(
    request: Request,
    sha256: str,
    size_bytes: int,
    *,
    headers: Mapping[str, str] | None = None,
    etag: str | None = None,
    filename: str | None = None,
    content_type: str = "application/octet-stream",
    disposition: str = "inline",
    blobs: BlobStore | None = None,
) -> Response:
    """The response with a blob, or with what the request's conditions and range ask for: 200, 206, 304 or 416.

    Args:
        headers: sent along, with 304 and 416 too.
        etag: with its quotes; ``If-Range`` and ``If-None-Match`` are compared with it. May also be among ``headers``.
        filename: named in Content-Disposition.
        blobs: the store; the hub's by default.
    """
    named = {**SAFE, **{name.lower(): value for name, value in (headers or {}).items()}}
    if etag is not None:
        named["etag"] = etag
    named["accept-ranges"] = "bytes"
    if filename is not None:
        named["content-disposition"] = content_disposition(filename, disposition)
    if _not_modified(request, named.get("etag")):
        return Response(status_code=304, headers=named)
    asked = _asked_range(request, named.get("etag"), size_bytes)
    if asked is not None and asked[0] >= asked[1]:
        return Response(status_code=416, headers={**named, "content-range": f"bytes */{size_bytes}"})
    start, end = asked or (0, size_bytes)
    if asked is not None:
        named["content-range"] = f"bytes {start}-{end - 1}/{size_bytes}"
    named.setdefault("content-type", content_type)
    store = blobs if blobs is not None else cast(Hub, request.scope["weighbridge.hub"]).blobs
    return BlobResponse(store, sha256, start=start, end=end, status=200 if asked is None else 206, headers=named)


def byte_range(text: str, size_bytes: int) -> tuple[int, int] | None:
    """Start and end (exclusive) that a ``Range`` header asks for; equal ones when it cannot be satisfied.

    None when the header is to be ignored: another unit, malformed, or several ranges (a server may answer these whole).
    """
    found = _RANGE.fullmatch(text.strip())
    if found is None:
        return None
    first, last, suffix = found.groups()
    if suffix is not None:
        return max(0, size_bytes - int(suffix)), size_bytes
    start = int(first)
    if last is not None and int(last) < start:
        return None
    end = size_bytes if last is None else min(int(last) + 1, size_bytes)
    return (start, end) if start < end else (size_bytes, size_bytes)


def content_disposition(filename: str, disposition: str = "inline") -> str:
    """The header for a file name of any script (RFC 6266): an ASCII stand-in, and the name itself."""
    name = filename.rsplit("/", 1)[-1]
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\%' else "_" for c in name)
    return f"{disposition}; filename*=UTF-8''{quote(name, safe='')}; filename=\"{plain}\""


class BlobResponse(Response):
    """Bytes ``start`` to ``end`` (exclusive) of a stored blob."""

    def __init__(
        self, store: BlobStore, sha256: str, *, start: int, end: int, status: int, headers: Mapping[str, str]
    ) -> None:
        self.status_code = status
        self.background = None
        self.body = b""
        self.init_headers({**headers, "content-length": str(end - start)})
        self._store = store
        self._sha256 = sha256
        self._start = start
        self._end = end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI.

        Raises:
            StorageError: the store has not got these bytes; nothing is sent yet.
            ClientDisconnect: the client has gone.
        """
        path = self._store.local_path(self._sha256)
        if scope["method"] == "HEAD" or self._start == self._end:
            await self._send_bytes(send, b"")
        elif path is None or (self._end - self._start > SMALL_BYTES and EXTENSION not in scope.get("extensions", {})):
            await self._send_stream(Request(scope, receive), send)
        else:
            await self._send_file(path, send)

    async def _send_file(self, path: os.PathLike[str], send: Send) -> None:
        try:
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise StorageError(f"could not read the blob {self._sha256}: {error.strerror}") from error
        try:
            if os.fstat(file).st_size < self._end:
                raise StorageError(f"could not read the blob {self._sha256}: its file is too short")
            count = self._end - self._start
            if count <= SMALL_BYTES:
                await self._send_bytes(send, os.pread(file, count, self._start))
                return
            await self._send_start(send)
            await send({"type": EXTENSION, "file": file, "offset": self._start, "count": count, "more_body": False})
        except ConnectionError as error:
            raise ClientDisconnect from error
        finally:
            os.close(file)

    async def _send_stream(self, request: Request, send: Send) -> None:
        pieces = self._store.stream(self._sha256, start=self._start, end=self._end)
        try:
            # The first piece before the headers: a blob that is not there must not become a broken 200.
            piece = await anext(pieces, b"")
            await self._send_start(send)
            while piece:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                if await request.is_disconnected():
                    raise ClientDisconnect
                piece = await anext(pieces, b"")
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            close = getattr(pieces, "aclose", None)
            if close is not None:
                await close()

    async def _send_bytes(self, send: Send, body: bytes) -> None:
        await self._send_start(send)
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async def _send_start(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})


def _asked_range(request: Request, etag: str | None, size_bytes: int) -> tuple[int, int] | None:
    """The range to answer; None: the whole. Only GET has ranges; ``If-Range`` must be this very entity tag."""
    header = request.headers.get("range")
    if header is None or request.method != "GET":
        return None
    condition = request.headers.get("if-range")
    if condition is not None and (condition.strip() != etag or condition.strip().startswith("W/")):
        return None
    return byte_range(header, size_bytes)


def _not_modified(request: Request, etag: str | None) -> bool:
    condition = request.headers.get("if-none-match")
    if condition is None or etag is None or request.method not in ("GET", "HEAD"):
        return False
    return any(tag.strip() in ("*", etag, f"W/{etag}") for tag in condition.split(","))
