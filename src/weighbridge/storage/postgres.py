"""PostgreSQL, to scale: many stateless nodes over one server, by psycopg 3 and a pool.

Parameters are put into the text by libpq's own quoting (psycopg's client cursor), not bound on the server: so a NULL
or a text needs no type, as with SQLite, and the same ``queries.sql`` runs on both.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any, LiteralString, cast

import psycopg
from psycopg import AsyncClientCursor, AsyncConnection
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from weighbridge.errors import Conflict, StorageError, StorageFull
from weighbridge.storage.database import (
    ChangedMeanwhile,
    OpenTransactions,
    Row,
    Session,
    check_params,
    load_migrations,
    split_script,
)

CONNECT_TIMEOUT_S = 10
_MIGRATION_LOCK = 0x77656967  # "weig": one migrating process at a time
_TOKENS = re.compile(
    r"(?P<keep>'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/|::)|:(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<text>\bTEXT\b)",
    re.DOTALL,
)
_Connection = AsyncConnection[Row]


class PostgresDatabase:
    """A PostgreSQL database. The pool is shared by all tasks of the loop; a connection belongs to one at a time."""

    dialect = "postgresql"

    def __init__(self, pool: AsyncConnectionPool[_Connection]) -> None:
        self._pool = pool
        self._open = OpenTransactions()

    @classmethod
    async def open(cls, url: str, *, most_connections: int = 10) -> PostgresDatabase:
        """The database at ``postgresql://…``. Raises: StorageError, when it does not answer."""
        with _errors():  # once without the pool, which would try again for long and then not say why
            await (await AsyncConnection.connect(url, connect_timeout=CONNECT_TIMEOUT_S)).close()
        pool = AsyncConnectionPool[_Connection](
            url,
            connection_class=_Connection,
            kwargs={"autocommit": True, "row_factory": dict_row, "cursor_factory": AsyncClientCursor},
            min_size=1,
            max_size=most_connections,
            configure=_configure,
            check=_check,
            open=False,
        )
        with _errors():
            try:
                await pool.open(wait=True, timeout=CONNECT_TIMEOUT_S)
            except BaseException:
                await pool.close()
                raise
        return cls(pool)

    async def one(self, sql: str, **params: object) -> Row | None:
        """The first row, or None."""
        async with self._session() as session:
            return await session.one(sql, **params)

    async def all(self, sql: str, **params: object) -> list[Row]:
        """Every row."""
        async with self._session() as session:
            return await session.all(sql, **params)

    async def run(self, sql: str, **params: object) -> int:
        """Number of rows changed."""
        with self._open.entered():
            async with self._session() as session:
                return await session.run(sql, **params)

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Session, None]:
        """A session at SERIALIZABLE that commits when the block ends; see ``Database.transaction``."""
        with self._open.entered(), _errors():
            async with self._session() as session, session.connection.transaction():
                yield session
                session.check()

    async def migrate(self) -> list[int]:
        """Numbers of the migrations that were applied now, in order; other processes wait meanwhile."""
        async with self._session() as session:
            await session.one("SELECT pg_advisory_lock(:lock)", lock=_MIGRATION_LOCK)
            try:
                return await _migrate(session)
            finally:
                await session.one("SELECT pg_advisory_unlock(:lock)", lock=_MIGRATION_LOCK)

    async def close(self) -> None:
        """Gives every connection back."""
        await self._pool.close()

    @asynccontextmanager
    async def _session(self) -> AsyncGenerator[_PostgresSession, None]:
        with _errors():
            async with self._pool.connection() as connection:
                yield _PostgresSession(connection)


class _PostgresSession:
    def __init__(self, connection: _Connection) -> None:
        self.connection = connection
        self._failed = False

    async def one(self, sql: str, **params: object) -> Row | None:
        return await (await self._execute(sql, params)).fetchone()

    async def all(self, sql: str, **params: object) -> list[Row]:
        return await (await self._execute(sql, params)).fetchall()

    async def run(self, sql: str, **params: object) -> int:
        return (await self._execute(sql, params)).rowcount

    def check(self) -> None:
        """Raises ``StorageError`` when a statement failed: COMMIT would roll back without a word."""
        if self._failed:
            raise StorageError("could not go on: a statement of this transaction has failed, so it is over")

    async def _execute(self, sql: str, params: dict[str, object]) -> psycopg.AsyncCursor[Row]:
        self.check()
        try:
            with _errors():
                return await self.connection.execute(translate(sql), check_params(params))
        except Exception:
            self._failed = True
            raise


@lru_cache(maxsize=4096)
def translate(sql: str) -> LiteralString:
    """The statement with ``%(name)s`` for ``:name`` and ``%%`` for ``%``; literals and comments keep their colons."""

    def put(match: re.Match[str]) -> str:
        return f"%({match['name']})s" if match["name"] else match[0]

    return cast(LiteralString, _TOKENS.sub(put, sql.replace("%", "%%")))


def translate_schema(sql: str) -> LiteralString:
    """A migration's statement with text ordered by its bytes, as SQLite does, whatever the server's locale."""

    def put(match: re.Match[str]) -> str:
        return 'TEXT COLLATE "C"' if match["text"] else match[0]

    return cast(LiteralString, _TOKENS.sub(put, sql))


async def _migrate(session: _PostgresSession) -> list[int]:
    await session.run("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT PRIMARY KEY)")
    done = {row["version"] for row in await session.all("SELECT version FROM schema_version")}
    applied: list[int] = []
    for version, script in load_migrations():
        if version in done:
            continue
        async with session.connection.transaction():
            for statement in split_script(script):
                await session.connection.execute(translate_schema(statement))
            await session.run("INSERT INTO schema_version (version) VALUES (:v)", v=version)
        applied.append(version)
    return applied


class _IntegerLoader(Loader):
    """A numeric, as SUM over BIGINT gives, as SQLite would: an integer when it is whole."""

    def load(self, data: Buffer) -> int | float:
        text = bytes(data).decode()
        return int(text) if text.lstrip("-").isdigit() else float(text)


class _BooleanLoader(Loader):
    """A condition's value as SQLite gives it: 1 or 0."""

    def load(self, data: Buffer) -> int:
        return int(bytes(data) == b"t")


async def _check(connection: _Connection) -> None:
    """Keeps a connection that died while idle (a restarted server) from failing a request: a round trip each time."""
    await connection.execute("")


async def _configure(connection: AsyncConnection[Any]) -> None:
    await connection.set_isolation_level(psycopg.IsolationLevel.SERIALIZABLE)
    connection.adapters.register_loader("numeric", _IntegerLoader)
    connection.adapters.register_loader("bool", _BooleanLoader)


@contextlib.contextmanager
def _errors() -> Generator[None, None, None]:
    try:
        yield
    except PoolTimeout as error:
        raise StorageError(f"could not use the database: {_first_line(error)}") from error
    except psycopg.Error as error:
        raise _as_ours(error) from error


def _as_ours(error: psycopg.Error) -> Conflict | StorageError | StorageFull:
    """By SQLSTATE (PostgreSQL's appendix A), since psycopg's classes do not follow the classes of the codes."""
    code, why = error.sqlstate or "", _first_line(error)
    if code.startswith("40") or code == "55P03":  # transaction rollback; lock not available
        return ChangedMeanwhile(f"could not change the database: {why}")
    if code in {"23505", "23503"}:  # unique, foreign key
        return Conflict(f"could not change the database: {why}")
    if code == "53100":  # disk full
        return StorageFull(f"could not write metadata: {why}")
    return StorageError(f"could not use the database: {why}")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
