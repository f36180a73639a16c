"""The web application: every route of the hub, its errors mapped in one place.

    app = create_app(hub)          # plain ASGI, for weighbridge.http.server.run_server

Order matters: Hugging Face paths are matched first (on the raw path, the hot one), the pages' ``/{ns}/{name}`` last.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from weighbridge.bootstrap import Hub
from weighbridge.errors import InvalidInput, WeighbridgeError
from weighbridge.http import health, hf, tlog, web
from weighbridge.http.api import accounts, releases, uploads
from weighbridge.http.auth import is_anonymous
from weighbridge.http.errors import error_response, not_found, status_of
from weighbridge.http.login import LoginBrake
from weighbridge.http.middleware import Answering

_PROGRAM_PATHS = ("/api/", "/tlog/", "/.well-known/", "/healthz", "/readyz", "/metrics")


def create_app(hub: Hub) -> ASGIApp:
    """The whole application over ``hub``, which the caller opens and closes."""
    return Application(hub)


def all_routes(hub: Hub) -> list[BaseRoute]:
    """Every route, in the order in which they are tried."""
    rooms = (hf, health, accounts, uploads, releases, tlog, web)
    return [route for room in rooms for route in room.routes(hub)]


class Application:
    """ASGI: routes over one hub."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._logins = LoginBrake()
        self._router = Router(all_routes(hub), redirect_slashes=False, default=_nothing_here)
        self._answering = Answering(self._route, self._render)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "http":
            scope["app"] = self
            scope["weighbridge.hub"] = self._hub
            scope["weighbridge.logins"] = self._logins
            await self._answering(scope, receive, send)
        elif scope["type"] == "lifespan":
            await _stay_alive(receive, send)
        else:
            await receive()
            await send({"type": "websocket.close", "code": 1000})

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        if b"%00" in scope["raw_path"] or b"%00" in scope["query_string"]:
            # No name of this hub holds a NUL, and PostgreSQL cannot even be asked about one.
            raise InvalidInput("could not read the request: it holds control characters")
        await self._router(scope, receive, send)

    async def _render(self, request: Request, error: WeighbridgeError) -> Response:
        anonymous = is_anonymous(request)
        if not wants_page(request):
            return error_response(error, anonymous=anonymous)
        return await web.error_page(self._hub, request, error, status=status_of(error, anonymous=False))


def wants_page(request: Request) -> bool:
    """True for a browser on a path made for people; programs get JSON."""
    path = request.scope["path"]
    if path.startswith(_PROGRAM_PATHS) or "/resolve/" in path:
        return False
    return "text/html" in request.headers.get("accept", "")


async def _nothing_here(scope: Scope, receive: Receive, send: Send) -> None:
    raise not_found(Request(scope, receive, send))


async def _stay_alive(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await send({"type": "lifespan.shutdown.complete"})
            return
