"""Gives DBOS the SQL function that it needs and an older SQLite has not.

On Python 3.12 and later DBOS 3.4 writes ``unixepoch('subsec')`` into its tables, which is NULL before SQLite 3.42
(https://sqlite.org/lang_datefunc.html); Debian 12 has 3.40, and its worker would not start.

    teach_unixepoch()          # before DBOS or its client opens a database
"""

from __future__ import annotations

import sqlite3
import time

KNOWS_SUBSEC = (3, 42, 0)


def teach_unixepoch() -> None:
    """From now on each SQLite connection of SQLAlchemy knows ``unixepoch('subsec')``; nothing where SQLite knows it."""
    if sqlite3.sqlite_version_info >= KNOWS_SUBSEC:
        return
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    if not event.contains(Engine, "connect", _teach):
        event.listen(Engine, "connect", _teach)


def _teach(connection: object, _record: object) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.create_function("unixepoch", 1, _unixepoch)


def _unixepoch(modifier: object) -> float | None:
    """Seconds since 1970. Only what DBOS asks for is answered; anything else is NULL, as of a wrong argument."""
    return time.time() if modifier == "subsec" else None
