"""Calls an ASGI application in process, on raw paths, without a client that would tidy them up."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Message


@dataclass(frozen=True)
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        values = [value for key, value in self.headers if key == name.lower()]
        assert len(values) <= 1, f"{name} came {len(values)} times"
        return values[0] if values else None

    @property
    def json(self) -> Any:
        return json.loads(self.body)


async def call(
    app: ASGIApp,
    method: str,
    target: str,
    *,
    token: str | None = None,
    headers: dict[str, str] | None = None,
    body: bytes = b"",
    data: object = None,
) -> Answer:
    raw_path, _, query = target.partition("?")
    sent = {**(headers or {})}
    if token is not None:
        sent["authorization"] = f"Bearer {token}"
    if data is not None:
        body = json.dumps(data).encode()
        sent.setdefault("content-type", "application/json")
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": _unquoted(raw_path),
        "raw_path": raw_path.encode("latin-1"),
        "query_string": query.encode("latin-1"),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in sent.items()],
        "client": ("127.0.0.1", 5),
        "server": ("hub.test", 80),
    }
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
    messages: list[Message] = []

    async def receive() -> Message:
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        messages.append(message)

    await app(scope, receive, send)
    start = messages[0]
    assert start["type"] == "http.response.start"
    assert not messages[-1].get("more_body", False)
    return Answer(
        status=start["status"],
        headers=[(name.decode("latin-1").lower(), value.decode("utf-8")) for name, value in start["headers"]],
        body=b"" if method == "HEAD" else b"".join(message.get("body", b"") for message in messages[1:]),
    )


def _unquoted(raw_path: str) -> str:
    from urllib.parse import unquote

    return unquote(raw_path)
