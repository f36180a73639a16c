"""What is remembered between runs: digests of files that did not change, and uploads that were broken off.

    memory = Memory.open(os.environ)
    memory.sha256_of(file)                 # None when it was never hashed, or changed since

One SQLite file in the user's cache folder; losing it costs time and nothing else.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from weighbridge.cli.hub_client import cache_home
from weighbridge.cli.releasing.folder import LocalFile

SETTLED_NS = 2_000_000_000
"""A file changed this recently could change again without its time telling (file systems tick in up to 2 s)."""
FORGOTTEN_AFTER_S = 30 * 24 * 3600
_TABLES = """
CREATE TABLE IF NOT EXISTS hash (
  source TEXT PRIMARY KEY, size_bytes INTEGER, mtime_ns INTEGER, inode INTEGER, device INTEGER, sha256 TEXT, at_s REAL);
CREATE TABLE IF NOT EXISTS upload (
  place TEXT, source TEXT, size_bytes INTEGER, mtime_ns INTEGER, inode INTEGER, device INTEGER, url TEXT, at_s REAL,
  PRIMARY KEY (place, source));
"""
_SAME = "source = ? AND size_bytes = ? AND mtime_ns = ? AND inode = ? AND device = ?"


class Memory:
    """Safe to use from several threads. ``_lock`` guards the connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        with self._lock, contextlib.suppress(sqlite3.Error):
            connection.executescript(_TABLES)
            for table in ("hash", "upload"):
                connection.execute(f"DELETE FROM {table} WHERE at_s < ?", (time.time() - FORGOTTEN_AFTER_S,))  # noqa: S608

    @classmethod
    def open(cls, environ: Mapping[str, str]) -> Memory:
        """The memory of this user; an empty one, for this run only, when there can be no file."""
        folder = cache_home(environ) / "weighbridge"
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            return cls(_connect(folder / "release.sqlite"))
        except (OSError, sqlite3.Error):
            return cls(_connect(Path(":memory:")))

    def sha256_of(self, file: LocalFile) -> str | None:
        """The digest of the file as it is, if it was hashed before."""
        return self._get(f"SELECT sha256 FROM hash WHERE {_SAME}", *_key(file))  # noqa: S608

    def keep_sha256(self, file: LocalFile, sha256: str) -> None:
        """Remembers the digest, unless the file is so new that a change would not show."""
        if time.time_ns() - file.mtime_ns > SETTLED_NS:
            self._put("INSERT OR REPLACE INTO hash VALUES (?, ?, ?, ?, ?, ?, ?)", *_key(file), sha256, time.time())

    def upload_of(self, place: str, file: LocalFile) -> str | None:
        """Where an upload of this file to ``place`` was broken off."""
        return self._get(f"SELECT url FROM upload WHERE place = ? AND {_SAME}", place, *_key(file))  # noqa: S608

    def keep_upload(self, place: str, file: LocalFile, url: str) -> None:
        """Remembers an upload under way."""
        values = (place, *_key(file), url, time.time())
        self._put("INSERT OR REPLACE INTO upload VALUES (?, ?, ?, ?, ?, ?, ?, ?)", *values)

    def forget_upload(self, place: str, file: LocalFile) -> None:
        """Forgets an upload that is over."""
        self._put("DELETE FROM upload WHERE place = ? AND source = ?", place, str(file.source))

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            self._connection.close()

    def _get(self, sql: str, *values: object) -> str | None:
        with self._lock, contextlib.suppress(sqlite3.Error):
            row = self._connection.execute(sql, values).fetchone()
            return str(row[0]) if row else None
        return None

    def _put(self, sql: str, *values: object) -> None:
        with self._lock, contextlib.suppress(sqlite3.Error):
            self._connection.execute(sql, values)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def _key(file: LocalFile) -> tuple[object, ...]:
    return (str(file.source), file.size_bytes, file.mtime_ns, file.inode, file.device)
