"""Calls that come together, on both databases: each is answered as if it had come alone, one after the other."""

from __future__ import annotations

import asyncio

from tests.contracts.conftest import database_url, db, empty_db, postgres, postgres_url
from tests.hub.conftest import NOW_MS, keep, person
from weighbridge.errors import Conflict
from weighbridge.hub.access import require_readable
from weighbridge.hub.ref import create_branch
from weighbridge.hub.repo import Repo, create_repo
from weighbridge.storage.database import Database

__all__ = ["database_url", "db", "empty_db", "postgres", "postgres_url"]


async def test_repos_made_at_once_are_all_made_and_a_name_once(db: Database) -> None:
    alice = await person(db, "alice")

    async def make(name: str) -> Repo | Conflict:
        try:
            return await create_repo(
                db, alice, type="model", namespace="alice", name=name, put_bytes=keep, now_ms=NOW_MS
            )
        except Conflict as error:
            return error

    made = await asyncio.gather(*(make(f"r{number}") for number in range(6)), *(make("same") for _ in range(4)))
    repos = [repo for repo in made if isinstance(repo, Repo)]
    assert sorted(repo.name for repo in repos) == ["r0", "r1", "r2", "r3", "r4", "r5", "same"]
    assert all("exists already" in error.message for error in made if isinstance(error, Conflict))
    await asyncio.gather(*(create_branch(db, repos[0], alice, f"b{number}", now_ms=NOW_MS) for number in range(5)))
    for number in range(5):
        await require_readable(db, repos[0], f"b{number}", alice)
