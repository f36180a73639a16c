"""The transparency log as the static files that C2SP tlog-tiles describes: anyone may read them, from any site.

GET /tlog/checkpoint                       the signed tree head, never kept by caches
GET /tlog/tile/0/x001/067[.p/12]           hashes, immutable
GET /tlog/tile/entries/000[.p/12]          entries, immutable
"""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from weighbridge.bootstrap import Hub
from weighbridge.errors import EntryNotFound

CHECKPOINT = "checkpoint"
_TILE = re.compile(r"tile/(?:[0-9]|[1-5][0-9]|6[0-3]|entries)(?:/x[0-9]{3}){0,5}/[0-9]{3}(?:\.p/(?:[1-9][0-9]{0,2}))?")
_COMMON = {"Access-Control-Allow-Origin": "*", "X-Content-Type-Options": "nosniff"}
_FRESH = {**_COMMON, "Cache-Control": "no-cache"}
_IMMUTABLE = {**_COMMON, "Cache-Control": "public, max-age=31536000, immutable"}


def routes(hub: Hub) -> list[BaseRoute]:
    """The log's files under ``/tlog/``."""

    async def log_file(request: Request) -> Response:
        key: str = request.path_params["key"]
        if key == CHECKPOINT:
            note = await hub.objects.get(key)
            return Response(note, headers=_FRESH, media_type="text/plain; charset=utf-8")
        if not _TILE.fullmatch(key):
            raise EntryNotFound(f"could not find /tlog/{key[:80]}: the log has a checkpoint, tiles and entries only")
        tile = await hub.objects.get(key)
        return Response(tile, headers=_IMMUTABLE, media_type="application/octet-stream")

    return [Route("/tlog/{key:path}", log_file)]
