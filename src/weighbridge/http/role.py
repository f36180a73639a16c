"""What a node of the role ``blobs`` serves: bytes, the log, and its own health; nothing that changes anything."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from weighbridge.errors import NotFound
from weighbridge.http.errors import error_response
from weighbridge.http.measure import route_of

SERVED = frozenset({"resolve", "/tlog", "/healthz", "/readyz", "/metrics"})


class BlobsOnly:
    """ASGI: lets downloads through to ``app``, answers 404 to all else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "http" and (
            route_of(scope["path"]) not in SERVED or scope["method"] not in ("GET", "HEAD")
        ):
            error = NotFound(
                "could not answer: this node serves files only",
                hint="Ask the hub's public URL; a proxy in front sends only /resolve/ and /tlog/ to this node.",
            )
            await error_response(error, anonymous=False)(scope, receive, send)
            return
        await self._app(scope, receive, send)
