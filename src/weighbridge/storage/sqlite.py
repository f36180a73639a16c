"""SQLite, the embedded default: WAL, one writer connection, one reader connection, no server.

Reads are answered on the calling thread (tens of microseconds); writes take a thread, since a commit waits for fsync.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from weighbridge.errors import StorageError, StorageFull
from weighbridge.storage.database import Row, Session, load_migrations, split_script

BUSY_TIMEOUT_S = 30.0
T = TypeVar("T")


class SqliteDatabase:
    """One SQLite file. The writer connection is owned by ``_lock``; the reader connection by the event loop's thread."""

    dialect = "sqlite"

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._writer = _connect(path)
        self._reader = _connect(path)
        self._reader.execute("PRAGMA query_only = 1")
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sqlite-writer")
        self._lock = asyncio.Lock()

    async def one(self, sql: str, **params: object) -> Row | None:
        """The first row, or None."""
        if _writes(sql):
            async with self.transaction() as session:
                return await session.one(sql, **params)
        return self._reader.execute(sql, params).fetchone()

    async def all(self, sql: str, **params: object) -> list[Row]:
        """Every row."""
        if _writes(sql):
            async with self.transaction() as session:
                return await session.all(sql, **params)
        return self._reader.execute(sql, params).fetchall()

    async def run(self, sql: str, **params: object) -> int:
        """Number of rows changed."""
        async with self.transaction() as session:
            return await session.run(sql, **params)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Session]:
        """A session that holds the write lock until the block ends."""
        async with self._lock:
            session = _SqliteSession(self._writer, self._thread)
            await session.run("BEGIN IMMEDIATE")
            try:
                yield session
            except BaseException:
                await asyncio.shield(session.run("ROLLBACK"))
                raise
            await asyncio.shield(session.run("COMMIT"))

    async def migrate(self) -> list[int]:
        """Numbers of the migrations that were applied now, in order."""
        await self.run("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY)")
        done = {row["version"] for row in await self.all("SELECT version FROM schema_version")}
        applied: list[int] = []
        for version, script in load_migrations():
            if version in done:
                continue
            async with self.transaction() as session:
                if await session.one("SELECT 1 AS one FROM schema_version WHERE version = :v", v=version):
                    continue
                for statement in split_script(script):
                    await session.run(statement)
                await session.run("INSERT INTO schema_version (version) VALUES (:v)", v=version)
            applied.append(version)
        return applied

    async def close(self) -> None:
        """Closes both connections."""
        async with self._lock:
            self._thread.shutdown(wait=True)
            self._writer.close()
            self._reader.close()


class _SqliteSession:
    def __init__(self, connection: sqlite3.Connection, thread: ThreadPoolExecutor) -> None:
        self._connection = connection
        self._thread = thread

    async def one(self, sql: str, **params: object) -> Row | None:
        rows = await self.all(sql, **params)
        return rows[0] if rows else None

    async def all(self, sql: str, **params: object) -> list[Row]:
        return await self._call(lambda: self._connection.execute(sql, params).fetchall())

    async def run(self, sql: str, **params: object) -> int:
        return await self._call(lambda: self._connection.execute(sql, params).rowcount)

    async def _call(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except sqlite3.OperationalError as error:
            if "full" in str(error):
                raise StorageFull(f"could not write metadata: {error}") from error
            raise StorageError(f"could not use the database: {error}") from error


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    connection.row_factory = _as_dict
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "temp_store = MEMORY"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _as_dict(cursor: sqlite3.Cursor, row: tuple[object, ...]) -> Row:
    return {column[0]: value for column, value in zip(cursor.description, row, strict=True)}


def _writes(sql: str) -> bool:
    return not sql.lstrip().upper().startswith(("SELECT", "WITH", "--", "EXPLAIN"))
