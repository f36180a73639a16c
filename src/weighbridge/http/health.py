"""What machines ask of a hub: does it live, is it ready, how busy is it, whom does it sign as.

``/healthz`` asks nothing of anyone. ``/readyz`` is 200 when database, blobs and the trust file are there; a worker that
has not been seen lately is told of and does not take the node out of service, since downloads need none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from weighbridge.accounts import Role, hub_roles
from weighbridge.bootstrap import Hub, read_state, releases_by_state
from weighbridge.errors import NotFound, WeighbridgeError
from weighbridge.http.auth import reader_of
from weighbridge.http.measure import METRICS_KEY, Metrics

WORKER_LATE_MS = 60_000
NO_BLOB = "0" * 64

NO_STORE = {"Cache-Control": "no-store"}


def routes(hub: Hub) -> list[BaseRoute]:
    """The four routes."""

    async def healthz(_request: Request) -> Response:
        return PlainTextResponse("ok\n", headers=NO_STORE)

    async def readyz(_request: Request) -> Response:
        checks = await readiness(hub)
        is_ready = all(checks[name] == "ok" for name in ("database", "blobs", "trust"))
        state = "ready" if is_ready else "not ready"
        return JSONResponse({"status": state, **checks}, status_code=200 if is_ready else 503, headers=NO_STORE)

    async def metrics(request: Request) -> Response:
        found: Metrics | None = request.scope.get(METRICS_KEY)
        counted = found or Metrics()
        text = counted.text()
        if await _is_keeper(hub, request):
            text += counted.keepers_text() + await _keepers_metrics(hub)
        return Response(text, headers={**NO_STORE, "Content-Type": CONTENT_TYPE_LATEST})

    async def trust_config(request: Request) -> Response:
        text = await read_state(hub.db, "trust_config")
        if text is None:
            raise NotFound("could not give the trust file: no worker of this hub has made its keys yet")
        etag = f'"{hashlib.sha256(text.encode()).hexdigest()}"'
        headers = {"ETag": etag, "Cache-Control": "public, max-age=60", "Access-Control-Allow-Origin": "*"}
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=headers)
        return Response(text, media_type="application/json", headers=headers)

    return [
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", metrics),
        Route("/.well-known/weighbridge/trust_config.json", trust_config),
    ]


async def readiness(hub: Hub) -> dict[str, str]:
    """``ok`` or a word of what is wrong, for each part that a request needs. Names no path: anyone may ask."""
    trust = await _word(_trust(hub))
    return {
        "database": "ok" if trust != "unreachable" else trust,
        "blobs": await _word(_blobs(hub)),
        "trust": trust,
        "worker": await _word(_worker(hub)),
    }


async def _word(check: Awaitable[str]) -> str:
    try:
        return await check
    except (WeighbridgeError, OSError):
        return "unreachable"


async def _trust(hub: Hub) -> str:
    return "ok" if await read_state(hub.db, "trust_config") is not None else "missing"


async def _blobs(hub: Hub) -> str:
    await hub.blobs.has(NO_BLOB)
    return "ok"


async def _worker(hub: Hub) -> str:
    seen = await read_state(hub.db, "worker_seen_ms")
    if seen is None:
        return "unknown"
    return "ok" if hub.clock() - int(seen) <= WORKER_LATE_MS else "late"


async def _is_keeper(hub: Hub, request: Request) -> bool:
    reader = await reader_of(request)
    if reader.account is None or "read" not in reader.scopes or reader.repo_id is not None:
        return False
    return bool({Role.ADMIN, Role.AUDITOR} & await hub_roles(hub.db, reader.account.id))


async def _keepers_metrics(hub: Hub) -> bytes:
    """What only the hub's admins and auditors may see: it counts releases that are hidden from others."""
    lines = ["# HELP weighbridge_releases Releases by state.", "# TYPE weighbridge_releases gauge"]
    lines += [f'weighbridge_releases{{state="{state}"}} {n}' for state, n in (await releases_by_state(hub.db)).items()]
    seen = await read_state(hub.db, "worker_seen_ms")
    if seen is not None:
        lines += [
            "# HELP weighbridge_worker_seen_seconds Time since a worker was last seen.",
            "# TYPE weighbridge_worker_seen_seconds gauge",
            f"weighbridge_worker_seen_seconds {max(0, hub.clock() - int(seen)) / 1000:.1f}",
        ]
    return ("\n".join(lines) + "\n").encode()
