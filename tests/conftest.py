"""Fixtures for every room: a hub in this process, and hubs as real `weighbridge serve` processes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from tests.running import RunningHub
from weighbridge.bootstrap import Hub, close_hub, open_hub
from weighbridge.settings import load_settings

StartHub = Callable[..., RunningHub]


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    """A migrated hub in this process: temporary SQLite, blobs in a folder, no worker, no admin yet."""
    found = await open_hub(load_settings({"data": tmp_path / "hub", "public_url": "http://hub.test"}))
    yield found
    await close_hub(found)


@pytest.fixture(scope="session")
def start_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartHub]:
    """Starts a `weighbridge serve` of one's own: ``start_hub(default_policy="responsible")``; stopped at the end."""
    started: list[RunningHub] = []

    def start(data: Path | None = None, *, wait_ready: bool = True, **settings: object) -> RunningHub:
        running = RunningHub(data or tmp_path_factory.mktemp("hub"), settings)
        started.append(running)
        running.start(wait_ready=wait_ready)
        return running

    yield start
    problems = [problem for running in started if (problem := running.stop())]
    assert not problems, "\n".join(problems)


@pytest.fixture(scope="session")
def running_hub(start_hub: StartHub) -> RunningHub:
    """One `weighbridge serve` with its worker, shared by the whole session: name accounts and repos apart."""
    return start_hub()
