"""SQLite, the embedded default: WAL, one writer connection, one reader connection, no server.

Reads are answered on the calling thread (tens of microseconds); writes take a thread, since a commit waits for fsync.
Several processes may share the file: writers wait for each other, at most ``BUSY_TIMEOUT_S``.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import AsyncGenerator, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from weighbridge.errors import Conflict, StorageError, StorageFull, WeighbridgeError
from weighbridge.storage.database import (
    OpenTransactions,
    Row,
    Session,
    check_params,
    is_read,
    load_migrations,
    split_script,
)

BUSY_TIMEOUT_S = 30.0
MAX_KNOWN_STATEMENTS = 4096
_FIRST_CODE_BYTE = 0xFF
_CONFLICTS = (
    sqlite3.SQLITE_CONSTRAINT_UNIQUE,
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
    sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY,
)
T = TypeVar("T")


class SqliteDatabase:
    """One SQLite file. ``_lock`` owns the writer connection; the event loop's thread owns the reader connection."""

    dialect = "sqlite"

    def __init__(self, path: Path) -> None:
        with _errors():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = _connect(path)
            self._reader = _connect(path)
            self._reader.execute("PRAGMA query_only = 1")
            self._reader.row_factory = None  # reads are the hot path: see _columns_of
        self._columns: dict[str, tuple[str, ...]] = {}  # owned by the event loop's thread; emptied by migrate
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sqlite-writer")
        self._lock = asyncio.Lock()
        self._open = OpenTransactions()

    async def one(self, sql: str, **params: object) -> Row | None:
        """The first row, or None."""
        if not is_read(sql):
            async with self.transaction() as session:
                return await session.one(sql, **params)
        try:
            cursor = self._reader.execute(sql, check_params(params))
            row = cursor.fetchone()
            cursor.close()  # an unfinished cursor would hold its snapshot, and keep the WAL from being cut
        except sqlite3.Error as error:
            raise _translated(error) from error
        return None if row is None else dict(zip(self._columns_of(sql, cursor), row, strict=True))

    async def all(self, sql: str, **params: object) -> list[Row]:
        """Every row."""
        if not is_read(sql):
            async with self.transaction() as session:
                return await session.all(sql, **params)
        try:
            cursor = self._reader.execute(sql, check_params(params))
            rows = cursor.fetchall()
        except sqlite3.Error as error:
            raise _translated(error) from error
        if not rows:
            return []
        names = self._columns_of(sql, cursor)
        return [dict(zip(names, row, strict=True)) for row in rows]

    def _columns_of(self, sql: str, cursor: sqlite3.Cursor) -> tuple[str, ...]:
        """Names of the columns; a statement of ours has the same ones every time, so they are asked for once."""
        names = self._columns.get(sql)
        if names is None:
            names = tuple(column[0] for column in cursor.description or ())
            if len(self._columns) < MAX_KNOWN_STATEMENTS:
                self._columns[sql] = names
        return names

    async def run(self, sql: str, **params: object) -> int:
        """Number of rows changed."""
        async with self.transaction() as session:
            return await session.run(sql, **params)

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Session, None]:
        """A session that holds the write lock until the block ends."""
        with self._open.entered():
            async with self._lock:
                session = _SqliteSession(self._writer, self._thread)
                try:
                    await session.run("BEGIN IMMEDIATE")
                    yield session
                    session.check()
                    await asyncio.shield(session.run("COMMIT"))
                except BaseException:
                    await asyncio.shield(session.roll_back())
                    raise

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
        self._columns.clear()
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
        self._failed = False

    async def one(self, sql: str, **params: object) -> Row | None:
        rows = await self.all(sql, **params)
        return rows[0] if rows else None

    async def all(self, sql: str, **params: object) -> list[Row]:
        return await self._call(lambda: self._connection.execute(sql, check_params(params)).fetchall())

    async def run(self, sql: str, **params: object) -> int:
        return await self._call(lambda: self._connection.execute(sql, check_params(params)).rowcount)

    async def roll_back(self) -> None:
        """Ends the transaction, if one was begun; called on the way out, so it must not fail for one that was not."""

        def work() -> None:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

        await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def check(self) -> None:
        """Raises ``StorageError`` when a statement failed: PostgreSQL would not go on either."""
        if self._failed:
            raise StorageError("could not go on: a statement of this transaction has failed, so it is over")

    async def _call(self, work: Callable[[], T]) -> T:
        self.check()
        try:
            with _errors():
                return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except Exception:
            self._failed = True
            raise


@contextlib.contextmanager
def _errors() -> Generator[None, None, None]:
    try:
        yield
    except sqlite3.Error as error:
        raise _translated(error) from error


def _translated(error: sqlite3.Error) -> WeighbridgeError:
    if isinstance(error, sqlite3.IntegrityError):
        kind = Conflict if error.sqlite_errorcode in _CONFLICTS else StorageError
        return kind(f"could not change the database: {error}")
    if getattr(error, "sqlite_errorcode", 0) & _FIRST_CODE_BYTE == sqlite3.SQLITE_FULL:
        return StorageFull(f"could not write metadata: {error}")
    return StorageError(f"could not use the database: {error}")


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    try:
        connection.row_factory = _as_dict
        _turn_wal_on(connection)
        for pragma in ("synchronous = FULL", "foreign_keys = ON", "temp_store = MEMORY"):
            connection.execute(f"PRAGMA {pragma}")
    except BaseException:
        connection.close()
        raise
    return connection


def _turn_wal_on(connection: sqlite3.Connection) -> None:
    """Two processes that open a new file at once: SQLite answers "locked" here without minding the busy timeout."""
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & _FIRST_CODE_BYTE != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _as_dict(cursor: sqlite3.Cursor, row: tuple[object, ...]) -> Row:
    return {column[0]: value for column, value in zip(cursor.description, row, strict=True)}
