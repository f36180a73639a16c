"""JSON in and out of the HTTP layer, by msgspec.

wish = await read_json(request, CreateRepo)
return answer({"url": url}, status=201)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from weighbridge.errors import InvalidInput, TooLarge

MAX_BODY_BYTES = 1 << 20
T = TypeVar("T")
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")  # PostgreSQL's text has no NUL
_encoder = msgspec.json.Encoder()


class JsonResponse(Response):
    """A response whose body is JSON already."""

    media_type = "application/json"


def answer(value: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """The response whose body is ``value`` as JSON."""
    return JsonResponse(_encoder.encode(value), status, headers)


async def read_body(request: Request, *, max_bytes: int = MAX_BODY_BYTES) -> bytes:
    """The whole request body.

    Raises:
        TooLarge: it is longer than ``max_bytes``; nothing past the bound is kept.
    """
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > max_bytes:
            raise TooLarge(f"could not read the request: its body is over {max_bytes} bytes")
        parts.append(part)
    return b"".join(parts)


async def read_json(request: Request, kind: type[T], *, max_bytes: int = MAX_BODY_BYTES) -> T:
    """The request body as ``kind``.

    Raises:
        InvalidInput: it is not JSON, or not of that shape.
        TooLarge: it is longer than ``max_bytes``.
    """
    body = await read_body(request, max_bytes=max_bytes)
    if b"\\u0000" in body and _NUL.search(body):
        raise InvalidInput("could not read the request: it holds control characters")
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"could not read the request: {error}", hint="Send JSON as docs/format.md says.") from error
