"""The pages: what people see of the hub in a browser. Server-rendered, readable without a script.

    routes(hub)                                        # `/`, `/ns/name`, `/ns/name/releases/1`, `/login`, …
    await error_page(hub, request, error, status=404)

A page shows what ``hub.access`` shows its reader, and nothing else; a page about something hidden is, byte for byte,
the page about something that is not there.
"""

from __future__ import annotations

from starlette.routing import BaseRoute

from weighbridge.bootstrap import Hub
from weighbridge.http.web import home, login, release, repo, site
from weighbridge.http.web.error import error_page

__all__ = ["error_page", "routes"]


def routes(hub: Hub) -> list[BaseRoute]:
    """Every page, the catch-all of namespaces last."""
    del hub
    return [*site.routes(), *home.routes(), *login.routes(), *release.routes(), *repo.routes()]
