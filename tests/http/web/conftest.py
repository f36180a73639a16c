from __future__ import annotations

from collections.abc import Awaitable, Callable
from html.parser import HTMLParser

import pytest

from tests.http.asgi import Answer, call
from tests.http.web.seeds import World
from weighbridge.http.app import create_app

Get = Callable[..., Awaitable[Answer]]


@pytest.fixture
async def world(hub):
    found = World(hub)
    await found.people()
    return found


@pytest.fixture
def app(hub):
    return create_app(hub)


@pytest.fixture
def browse(app, world) -> Get:
    """Asks for a page as a browser does, as one of the people or as nobody."""

    async def get(path: str, who: str | None = None, *, method: str = "GET", body: str = "", **headers: str) -> Answer:
        sent = {"accept": "text/html,application/xhtml+xml", **{k.replace("_", "-"): v for k, v in headers.items()}}
        if who:
            sent["cookie"] = f"weighbridge_session={world.tokens[who]}"
        if method == "POST":
            sent.setdefault("content-type", "application/x-www-form-urlencoded")
        return await call(app, method, path, headers=sent, body=body.encode())

    return get


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


def text_of(answer: Answer) -> str:
    """What a person reads on a page, white space in one."""
    parser = _Text()
    parser.feed(answer.body.decode())
    return " ".join(" ".join(parser.parts).split())
