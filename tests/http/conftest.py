from __future__ import annotations

import pytest
from starlette.types import ASGIApp

from tests.http.seed import Seed
from weighbridge.bootstrap import Hub
from weighbridge.http.app import create_app


@pytest.fixture
def app(hub: Hub) -> ASGIApp:
    return create_app(hub)


@pytest.fixture
async def seed(hub: Hub) -> Seed:
    found = Seed(hub)
    for name in ("alice", "bob"):
        await found.user(name)
    return found
