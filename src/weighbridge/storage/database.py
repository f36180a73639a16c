"""Metadata: one small protocol, two databases (SQLite in ``sqlite.py``, PostgreSQL in ``postgres.py``).

SQL is written by hand in ``queries.sql`` files, portable between both, with ``:name`` parameters::

    QUERIES = load_queries("weighbridge.hub")
    row = await db.one(QUERIES["repo_by_name"], name_key="acme/tiny")
    async with db.transaction() as tx:
        await tx.run(QUERIES["insert_event"], **event)
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import AbstractAsyncContextManager
from functools import lru_cache
from importlib import resources
from typing import Any, Protocol, TypeVar, runtime_checkable

from weighbridge.errors import Conflict, InvalidInput, StorageError

T = TypeVar("T")
Row = dict[str, Any]
"""One row: column name to int, str or None. Times are integers of milliseconds since 1970, UTC."""

_NAME = re.compile(r"^-- name: ([a-z0-9_]+)\n", re.MULTILINE)


class ChangedMeanwhile(Conflict):
    """Another transaction came between; nothing was changed, and the same transaction may well pass when begun anew."""


class Session(Protocol):
    """What can be asked of a database, inside a transaction or outside of one.

    Parameters are text, integers, booleans (kept as 0 and 1) or None. Both databases order text by its bytes, answer
    booleans as 0 and 1, and raise the same errors:

    Raises:
        Conflict: a unique or foreign key says no, or (PostgreSQL) another transaction came between.
        InvalidInput: a parameter cannot be kept: text with NUL or a lone surrogate, an integer over 64 bits.
        StorageFull, StorageError: the database cannot do it.
    """

    async def one(self, sql: str, **params: object) -> Row | None:
        """The first row, or None."""
        ...

    async def all(self, sql: str, **params: object) -> list[Row]:
        """Every row."""
        ...

    async def run(self, sql: str, **params: object) -> int:
        """Number of rows changed."""
        ...


@runtime_checkable
class Database(Session, Protocol):
    """A database. Statements outside ``transaction`` commit by themselves."""

    dialect: str
    """``sqlite`` or ``postgresql``."""

    def transaction(self) -> AbstractAsyncContextManager[Session]:
        """A session that commits when the block ends and rolls back when it raises.

        SQLite takes the write lock at once (BEGIN IMMEDIATE), PostgreSQL runs at SERIALIZABLE and retries nothing:
        a serialisation failure is raised as ``ChangedMeanwhile``, a ``Conflict`` (``in_transaction`` tries again).
        After a statement has failed the transaction is over on both: leave the block, begin anew if it is worth it.
        Within the block the same task writes through the session only: a second transaction, or ``run`` on the
        database, is refused with ``StorageError``, since it would wait for the first for ever.
        """
        ...

    async def migrate(self) -> list[int]:
        """Numbers of the migrations that were applied now, in order."""
        ...

    async def close(self) -> None:
        """Gives every connection back."""
        ...


async def in_transaction(db: Database, work: Callable[[Session], Awaitable[T]], *, attempts: int = 10) -> T:
    """What ``work`` answers, in a transaction, begun anew when another one came between.

    Raises:
        ChangedMeanwhile: so did it ``attempts`` times.
    """
    for attempt in range(1, attempts):
        with contextlib.suppress(ChangedMeanwhile):
            async with db.transaction() as tx:
                return await work(tx)
        await asyncio.sleep(0.005 * attempt * (1 + secrets.randbelow(4)))
    async with db.transaction() as tx:
        return await work(tx)


_BLANK = re.compile(r"(?:\s+|--[^\n]*(?:\n|\Z)|/\*.*?\*/)*", re.DOTALL)
_LARGEST = 1 << 63


@lru_cache(maxsize=4096)
def is_read(sql: str) -> bool:
    """Whether the statement only reads, told by its first word; a WITH that changes rows is a write."""
    body = sql[_match_end(sql) :].upper()
    if body.startswith("WITH"):
        return not re.search(r"\b(INSERT|UPDATE|DELETE)\b", body)
    return body.startswith(("SELECT", "EXPLAIN", "VALUES"))


def _match_end(sql: str) -> int:
    match = _BLANK.match(sql)
    return match.end() if match else 0


def check_params(params: Mapping[str, object]) -> Mapping[str, object]:
    """The parameters, booleans as integers. Raises: InvalidInput, for what only one of the databases would keep."""
    for value in params.values():
        if isinstance(value, str):
            plain = value.isascii() and "\0" not in value
        else:
            plain = value is None or (type(value) is int and -_LARGEST <= value < _LARGEST)
        if not plain:
            return _checked(params)
    return params


def _checked(params: Mapping[str, object]) -> Mapping[str, object]:
    checked = dict(params)
    for name, value in params.items():
        if isinstance(value, bool):
            checked[name] = int(value)
        elif isinstance(value, int) and not -_LARGEST <= value < _LARGEST:
            raise InvalidInput(f"could not keep {name}: {value} does not fit 64 bits")
        elif isinstance(value, str) and not _is_text(value):
            raise InvalidInput(f"could not keep {name}: the text holds NUL or a lone surrogate")
    return checked


def _is_text(value: str) -> bool:
    if value.isascii():
        return "\0" not in value
    try:
        return b"\0" not in value.encode()
    except UnicodeEncodeError:
        return False


class OpenTransactions:
    """Which tasks are inside a transaction. Owned by the event loop's thread."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any] | None] = set()

    @contextlib.contextmanager
    def entered(self) -> Generator[None, None, None]:
        """Raises ``StorageError`` when this task is inside one already."""
        task = asyncio.current_task()
        if task in self._tasks:
            raise StorageError("could not begin a transaction: this task is inside one; write through its session")
        self._tasks.add(task)
        try:
            yield
        finally:
            self._tasks.discard(task)


def load_queries(package: str) -> dict[str, str]:
    """Query text by name, of the ``queries.sql`` in ``package``. Each starts with a line ``-- name: the_name``."""
    text = resources.files(package).joinpath("queries.sql").read_text("utf-8")
    parts = _NAME.split(text)
    return {name: body.strip() for name, body in zip(parts[1::2], parts[2::2], strict=True)}


def load_migrations() -> list[tuple[int, str]]:
    """Number and script of each migration in ``storage/migrations``, ascending."""
    folder = resources.files("weighbridge.storage").joinpath("migrations")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [(int(name[:4]), folder.joinpath(name).read_text("utf-8")) for name in names]


def split_script(script: str) -> list[str]:
    """The statements of a migration: text between semicolons at line ends, comments kept."""
    return [part.strip() for part in re.split(r";[ \t]*(?:--[^\n]*)?\n", script + "\n") if part.strip(" \n\t;")]
