"""Every ``ObjectStore`` does the same: a local folder and a real S3 server."""

from __future__ import annotations

import asyncio

import pytest

from weighbridge.errors import Conflict, EntryNotFound, InvalidInput
from weighbridge.storage.objects import ObjectStore


async def test_put_once(objects: ObjectStore):
    await objects.put("tile/0/x001/234.p/5", b"abc", create=True)
    await objects.put("tile/0/x001/234.p/5", b"abc", create=True)
    assert await objects.get("tile/0/x001/234.p/5") == b"abc"
    with pytest.raises(Conflict):
        await objects.put("tile/0/x001/234.p/5", b"abd", create=True)
    assert await objects.get("tile/0/x001/234.p/5") == b"abc"


async def test_replace(objects: ObjectStore):
    await objects.put("checkpoint", b"one", create=False)
    await objects.put("checkpoint", b"two", create=False)
    assert await objects.get("checkpoint") == b"two"


async def test_absent(objects: ObjectStore):
    await objects.put("tile/0/000", b"x", create=True)
    for key in ("absent", "tile/0/001", "tile/0/000/deeper", "tile/0"):
        with pytest.raises(EntryNotFound):
            await objects.get(key)


@pytest.mark.parametrize("key", ["", "/etc/passwd", "../x", "a/../b", "a//b", "a/", ".part/x", "a/.b", "a b", "a\n"])
async def test_keys_are_plain_relative_paths(objects: ObjectStore, key: str):
    for call in (objects.get(key), objects.put(key, b"", create=True), objects.put(key, b"", create=False)):
        with pytest.raises(InvalidInput):
            await call


async def test_one_of_many_writers_wins(objects: ObjectStore):
    bodies = [f"{number}".encode() for number in range(8)]
    puts = (objects.put("tile/0/000", body, create=True) for body in bodies)
    outcomes = await asyncio.gather(*puts, return_exceptions=True)
    assert [outcome for outcome in outcomes if outcome is None] == [None]
    assert all(isinstance(outcome, Conflict) for outcome in outcomes if outcome is not None)
    winner = bodies[outcomes.index(None)]
    assert await objects.get("tile/0/000") == winner
