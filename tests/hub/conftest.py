"""A migrated database, a few people and a repo, for the rooms' own tests."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from weighbridge.accounts import Account, Reader, authenticate, create_token, create_user
from weighbridge.hub.commit import Commit, NewFile, create_author_commit, texts_needed
from weighbridge.hub.git import blob_oid
from weighbridge.hub.repo import Repo, create_repo
from weighbridge.hub.upload import record_upload
from weighbridge.storage.sqlite import SqliteDatabase

NOW_MS = 1_700_000_000_000


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    database = SqliteDatabase(tmp_path / "metadata.sqlite")
    await database.migrate()
    yield database
    await database.close()


async def keep(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


async def person(db: SqliteDatabase, name: str, *scopes: str) -> Reader:
    account = await create_user(db, name=name, now_ms=NOW_MS)
    _, text = await create_token(db, account_id=account.id, name="test", scopes=scopes or ("write",), now_ms=NOW_MS)
    return await authenticate(db, text, now_ms=NOW_MS)


@pytest.fixture
async def alice(db: SqliteDatabase) -> Reader:
    return await person(db, "alice")


@pytest.fixture
async def repo(db: SqliteDatabase, alice: Reader) -> Repo:
    return await create_repo(db, alice, type="model", namespace="alice", name="tiny", put_bytes=keep, now_ms=NOW_MS)


def new_file(path: str, data: bytes) -> NewFile:
    try:
        is_text = b"\0" not in data and bool(data.decode() or True)
    except UnicodeDecodeError:
        is_text = False
    sha256 = hashlib.sha256(data).hexdigest()
    return NewFile(path=path, sha256=sha256, size_bytes=len(data), git_oid=blob_oid(data), is_text=is_text)


async def commit(
    db: SqliteDatabase,
    repo: Repo,
    author: Account,
    files: dict[str, bytes],
    *,
    at_ms: int = NOW_MS + 5000,
    **options: str,
) -> Commit:
    """Uploads and commits ``files`` as the whole revision."""
    new = [new_file(path, data) for path, data in files.items()]
    async with db.transaction() as tx:
        for file in new:
            await record_upload(
                tx, repo, author.id, sha256=file.sha256, git_oid=file.git_oid, size_bytes=file.size_bytes,
                is_text=file.is_text, now_ms=at_ms,
            )  # fmt: skip
        return await create_author_commit(
            tx, repo, new, message=options.pop("message", "A title\n\nA body"), author=author, now_ms=at_ms,
            texts={file.path: files[file.path] for file in texts_needed(new)}, **options,
        )  # fmt: skip
