"""Metadata: one small protocol, two databases (SQLite in ``sqlite.py``, PostgreSQL in ``postgres.py``).

SQL is written by hand in ``queries.sql`` files, portable between both, with ``:name`` parameters::

    QUERIES = load_queries("weighbridge.hub")
    row = await db.one(QUERIES["repo_by_name"], name_key="acme/tiny")
    async with db.transaction() as tx:
        await tx.run(QUERIES["insert_event"], **event)
"""

from __future__ import annotations

import re
from contextlib import AbstractAsyncContextManager
from importlib import resources
from typing import Any, Protocol

Row = dict[str, Any]
"""One row: column name to int, str or None. Times are integers of milliseconds since 1970, UTC."""

_NAME = re.compile(r"^-- name: ([a-z0-9_]+)\n", re.MULTILINE)


class Session(Protocol):
    """What can be asked of a database, inside a transaction or outside of one."""

    async def one(self, sql: str, **params: object) -> Row | None:
        """The first row, or None."""
        ...

    async def all(self, sql: str, **params: object) -> list[Row]:
        """Every row."""
        ...

    async def run(self, sql: str, **params: object) -> int:
        """Number of rows changed."""
        ...


class Database(Session, Protocol):
    """A database. Statements outside ``transaction`` commit by themselves."""

    dialect: str
    """``sqlite`` or ``postgresql``."""

    def transaction(self) -> AbstractAsyncContextManager[Session]:
        """A session that commits when the block ends and rolls back when it raises.

        SQLite takes the write lock at once (BEGIN IMMEDIATE), PostgreSQL runs at SERIALIZABLE and retries nothing:
        a serialisation failure is raised as ``Conflict``.
        """
        ...

    async def migrate(self) -> list[int]:
        """Numbers of the migrations that were applied now, in order."""
        ...

    async def close(self) -> None:
        """Gives every connection back."""
        ...


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
