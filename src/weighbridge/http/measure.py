"""Counts and logs every request: the outermost layer of the web process. Costs about ten microseconds a request.

    app = Measured(create_app(hub), Metrics(), RequestLog(settings))

``Metrics`` is found by ``/metrics`` in ``scope["weighbridge.metrics"]``.
"""

from __future__ import annotations

import time
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from weighbridge import __version__
from weighbridge.logs import RequestLog

METRICS_KEY = "weighbridge.metrics"

_WHOLE = frozenset(
    {"/", "/healthz", "/readyz", "/metrics", "/api/whoami-v2", "/.well-known/weighbridge/trust_config.json"}
)
_API = {
    "models": "/api/models",
    "datasets": "/api/datasets",
    "repos": "/api/repos",
    "weighbridge": "/api/weighbridge/v1",
}


class Metrics:
    """The counters of one web process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        # Apart, for the hub's keepers alone: who watches it grow by a download reads the size of a hidden file.
        self._kept_back = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter(
            "weighbridge_http_requests", "Requests answered.", ["method", "route", "status"], registry=self.registry
        )
        self._sent = Counter(
            "weighbridge_http_sent_bytes", "Bytes of bodies sent.", ["route"], registry=self._kept_back
        )
        self.in_flight = Gauge("weighbridge_http_requests_in_flight", "Requests under way.", registry=self.registry)
        Gauge("weighbridge_build_info", "Always 1.", ["version"], registry=self.registry).labels(__version__).set(1)
        self._children: dict[tuple[str, str, int], tuple[Any, Any]] = {}

    def count(self, *, method: str, route: str, status: int, sent_bytes: int) -> None:
        """Adds one finished request. ``route`` is one of a few: see ``route_of``."""
        key = (method, route, status)
        found = self._children.get(key)
        if found is None:
            known = method if method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS") else "other"
            found = (self._requests.labels(known, route, str(status)), self._sent.labels(route))
            if len(self._children) < 10_000:
                self._children[key] = found
        found[0].inc()
        if sent_bytes:
            found[1].inc(sent_bytes)

    def text(self) -> bytes:
        """What anybody may read, in Prometheus's text format."""
        return generate_latest(self.registry)

    def keepers_text(self) -> bytes:
        """What only admins and auditors of the hub may read besides."""
        return generate_latest(self._kept_back)


class Measured:
    """ASGI: runs ``app``, counts what it answered, logs one line."""

    def __init__(self, app: ASGIApp, metrics: Metrics, log: RequestLog) -> None:
        self._app = app
        self._metrics = metrics
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope[METRICS_KEY] = self._metrics
        status, sent = 0, 0

        async def counting_send(message: Message) -> None:
            nonlocal status, sent
            kind = message["type"]
            if kind == "http.response.start":
                status = message["status"]
            await send(message)
            if kind == "http.response.body":
                sent += len(message.get("body", b""))
            elif kind != "http.response.start":
                sent += message.get("count") or 0

        started = time.perf_counter()
        self._metrics.in_flight.inc()
        try:
            await self._app(scope, receive, counting_send)
        finally:
            self._metrics.in_flight.dec()
            # 499, as nginx has it: the client went before there was an answer.
            status = status or 499
            method, path = scope["method"], scope["path"]
            sent = 0 if method == "HEAD" else sent
            self._metrics.count(method=method, route=route_of(path), status=status, sent_bytes=sent)
            if self._log.is_on:
                self._log.write(
                    method=method,
                    path=path,
                    status=status,
                    sent_bytes=sent,
                    took_ms=(time.perf_counter() - started) * 1000,
                    request_id=scope.get("state", {}).get("request_id", ""),
                )


def route_of(path: str) -> str:
    """The family of a path: few, and none that names a repo, so that metrics stay small and tell nothing hidden."""
    if path in _WHOLE:
        return path
    if "/resolve/" in path:
        return "resolve"
    first, _, rest = path[1:].partition("/")
    if first == "api":
        return _API.get(rest.partition("/")[0], "/api")
    return f"/{first}" if first in ("tlog", "static") else "page"
