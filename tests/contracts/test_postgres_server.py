"""What only PostgreSQL has: connections that die, a server that refuses."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from weighbridge.errors import StorageError
from weighbridge.storage.connect import open_database


async def test_connections_that_died_while_idle_are_not_used(postgres_url: str):
    """As after a restart of the server: no request fails for it."""
    db = await open_database(postgres_url)
    try:
        await db.migrate()
        await asyncio.gather(*(db.one("SELECT pg_sleep(0.05)") for _ in range(4)))
        with psycopg.connect(postgres_url, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        answers = await asyncio.gather(*(db.one("SELECT size FROM log_head") for _ in range(8)))
        assert answers == [{"size": 0}] * 8
    finally:
        await db.close()


async def test_a_connection_that_dies_in_a_transaction_is_an_error(postgres_url: str):
    db = await open_database(postgres_url)
    try:
        await db.migrate()
        with pytest.raises(StorageError):
            async with db.transaction() as tx:
                row = await tx.one("SELECT pg_backend_pid() AS pid")
                assert row is not None
                await tx.run("UPDATE log_head SET size = 5")
                with psycopg.connect(postgres_url, autocommit=True) as other:
                    other.execute("SELECT pg_terminate_backend(%s)", [row["pid"]])
                await tx.run("UPDATE log_head SET size = 6")
        assert await db.one("SELECT size FROM log_head") == {"size": 0}
    finally:
        await db.close()


async def test_a_database_that_is_not_there_is_told(postgres_url: str):
    with pytest.raises(StorageError, match="does not exist"):
        await open_database(postgres_url.replace("/t_", "/absent_"))


async def test_more_tasks_than_connections_wait_in_line(postgres_url: str):
    db = await open_database(postgres_url)
    try:
        rows = await asyncio.gather(*(db.one("SELECT pg_sleep(0.01)") for _ in range(60)))
        assert len(rows) == 60
    finally:
        await db.close()
