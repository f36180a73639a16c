"""One door to both databases, by URL."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

from weighbridge.errors import InvalidInput
from weighbridge.storage.database import Database

_POSTGRES = ("postgresql://", "postgres://")
_SQLITE = "sqlite:///"


async def open_database(url: str | Path) -> Database:
    """The database at ``postgresql://…``, ``sqlite:///relative``, ``sqlite:////absolute`` or a plain path.

    Tables are not made: call ``migrate`` on it.

    Raises:
        InvalidInput: another kind of URL.
        StorageError: it cannot be opened.
    """
    if isinstance(url, str) and url.startswith(_POSTGRES):
        from weighbridge.storage.postgres import PostgresDatabase

        return await PostgresDatabase.open(url)
    from weighbridge.storage.sqlite import SqliteDatabase

    return SqliteDatabase(_sqlite_path(url))


def _sqlite_path(url: str | Path) -> Path:
    if isinstance(url, Path):
        return url
    if url.startswith(_SQLITE):
        return Path(unquote(url.removeprefix(_SQLITE)))
    if "://" in url or not url:
        kind = url.partition("://")[0]
        raise InvalidInput(
            f"could not open a database of kind {kind!r}",
            hint="Use postgresql://user:password@host/name, sqlite:////folder/file, or a path.",
        )
    return Path(url)
