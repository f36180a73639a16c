"""The home page: what this hub is, the newest visible releases, and the search."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weighbridge.http.auth import hub_of, reader_of
from weighbridge.http.web.shelf import find_shelf
from weighbridge.http.web.site import page

SHOWN = 30
MAX_QUERY_CHARS = 200


async def home(request: Request) -> Response:
    """Newest releases, or with ``?q=`` those whose name holds the query."""
    reader = await reader_of(request)
    query = request.query_params.get("q", "").strip()[:MAX_QUERY_CHARS]
    shelf = await find_shelf(hub_of(request), reader, search=query, limit=SHOWN)
    models = [item for item in shelf.items if item.type == "model"]
    example = f"{models[0].namespace}/{models[0].name}" if models else "namespace/name"
    return page(request, reader, "home.html", query=query, shelf=shelf.items, more=shelf.more, example=example)


def routes() -> list[Route]:
    """``/``."""
    return [Route("/", home)]
