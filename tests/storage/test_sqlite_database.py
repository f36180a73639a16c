"""What only SQLite has: several processes on one file, a full disk, snapshots."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from weighbridge.errors import InvalidInput, StorageError, StorageFull
from weighbridge.storage.connect import open_database
from weighbridge.storage.database import is_read, split_script
from weighbridge.storage.sqlite import SqliteDatabase

WRITER = """
import asyncio, sys
from pathlib import Path
from weighbridge.storage.sqlite import SqliteDatabase

async def main():
    db = SqliteDatabase(Path(sys.argv[1]))
    await db.migrate()
    for number in range(25):
        async with db.transaction() as tx:
            row = await tx.one("SELECT value FROM hub_state WHERE key = 'n'")
            value = str(int(row["value"]) + 1) if row else "1"
            await tx.run("DELETE FROM hub_state WHERE key = 'n'")
            await tx.run("INSERT INTO hub_state (key, value) VALUES ('n', :value)", value=value)
    await db.close()

asyncio.run(main())
"""


async def test_processes_share_the_file(tmp_path: Path):
    """Four of them open a new file at once, migrate it and count together."""
    path = tmp_path / "metadata.sqlite"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, path], stderr=subprocess.PIPE) for _ in range(4)]
    for writer in writers:
        _, problem = writer.communicate(timeout=120)
        assert writer.returncode == 0, problem.decode()
    db = SqliteDatabase(path)
    assert await db.one("SELECT value FROM hub_state WHERE key = 'n'") == {"value": "100"}
    await db.close()


async def test_a_full_disk(small_disk: Path):
    db = SqliteDatabase(small_disk / "metadata.sqlite")
    await db.migrate()
    await db.run("INSERT INTO hub_state (key, value) VALUES ('a', 'kept')")
    with pytest.raises(StorageFull):
        await db.run("INSERT INTO hub_state (key, value) VALUES ('b', :value)", value="x" * 2_000_000)
    assert await db.all("SELECT key, value FROM hub_state") == [{"key": "a", "value": "kept"}]
    await db.run("UPDATE hub_state SET value = 'still' WHERE key = 'a'")
    assert await db.one("SELECT value FROM hub_state") == {"value": "still"}
    await db.close()


async def test_a_file_that_is_no_database_is_told(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"this is not a database, it is long enough to look at" * 100)
    with pytest.raises(StorageError, match="could not use the database"):
        SqliteDatabase(tmp_path / "file")
    (tmp_path / "folder").mkdir()
    with pytest.raises(StorageError):
        await open_database(tmp_path / "folder")


@pytest.mark.parametrize("url", ["sqlite:///{path}", "{path}"])
async def test_urls_and_paths(tmp_path: Path, url: str):
    db = await open_database(url.format(path=tmp_path / "a" / "m.sqlite"))
    assert db.dialect == "sqlite"
    await db.close()
    assert (tmp_path / "a" / "m.sqlite").is_file()


@pytest.mark.parametrize("url", ["", "mysql://host/db", "sqlite://host/db", "http://x"])
async def test_other_urls_are_refused(url: str):
    with pytest.raises(InvalidInput) as caught:
        await open_database(url)
    assert "postgresql://" in caught.value.diagnostics()


async def test_a_server_that_is_away_is_told():
    with pytest.raises(StorageError, match="could not use the database") as caught:
        await open_database("postgresql://nobody:secret@127.0.0.1:9/none")
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT 1", True),
        ("  -- what it is\n-- and more\n select 1", True),
        ("/* a\n b */ SELECT 1", True),
        ("WITH x AS (SELECT 1) SELECT * FROM x", True),
        ("WITH x AS (SELECT 1) DELETE FROM y", False),
        ("-- name\nINSERT INTO x VALUES (1) RETURNING a", False),
        ("UPDATE x SET a = 'SELECT'", False),
        ("EXPLAIN DELETE FROM x", True),
        ("BEGIN IMMEDIATE", False),
        ("", False),
    ],
)
def test_reads_are_told_from_writes(sql: str, expected: bool):
    assert is_read(sql) is expected


def test_a_script_is_split_at_line_ends():
    script = (
        "CREATE TABLE a (x TEXT); -- one; two\n-- about b;c\nCREATE TABLE b (\n  x TEXT  -- y;z here\n);\n\nSELECT 1"
    )
    parts = split_script(script)
    assert [part.splitlines()[-1] for part in parts] == ["CREATE TABLE a (x TEXT)", ")", "SELECT 1"]
