"""The one layer around every request: its id, and the mapping of what it raises. Pure ASGI; costs a few microseconds.

``X-Request-Id`` is the one that came in (``X-Request-Id``, else ``X-Amzn-Trace-Id``), else a new one.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from weighbridge.errors import WeighbridgeError
from weighbridge.http.errors import internal_error, known

_ID = re.compile(rb"[\x21-\x7e]{1,200}")
_ID_HEADERS = (b"x-request-id", b"x-amzn-trace-id")

log = structlog.get_logger("weighbridge.http")

Render = Callable[[Request, WeighbridgeError], Awaitable[Response]]


class Answering:
    """Runs ``app``, names the request, and answers by ``render`` what it raises; a 500 says the request id only."""

    def __init__(self, app: ASGIApp, render: Render) -> None:
        self._app = app
        self._render = render

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        request_id, named_above = request_id_of(scope)
        started = False

        async def naming_send(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                if not named_above:
                    message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, naming_send)
        except ClientDisconnect:
            return
        except Exception as error:
            if started:
                # Half an answer is out; only breaking the connection tells the client so.
                log.exception("answer broke off", request_id=request_id, path=scope["path"])
                raise
            response = await self._answer(Request(scope, receive, send), error, request_id)
            await response(scope, receive, naming_send)

    async def _answer(self, request: Request, error: Exception, request_id: str) -> Response:
        shown = known(error)
        if shown is not None:
            return await self._render(request, shown)
        log.error("request failed", request_id=request_id, path=request.scope["path"], exc_info=error)
        return internal_error(request_id)


def request_id_of(scope: Scope) -> tuple[str, bool]:
    """The request's id, and whether a layer above has named it and answers it already."""
    state = scope.setdefault("state", {})
    above = state.get("request_id")
    if isinstance(above, str):
        return above, True
    found = {name: value for name, value in scope["headers"] if name in _ID_HEADERS}
    for name in _ID_HEADERS:
        if name in found and _ID.fullmatch(found[name]):
            state["request_id"] = found[name].decode("ascii")
            return state["request_id"], False
    state["request_id"] = secrets.token_hex(12)
    return state["request_id"], False
