from __future__ import annotations

import pytest

from tests.hub.conftest import NOW_MS, commit, keep, person
from tests.property.world import World
from weighbridge.accounts import ANONYMOUS, Reader
from weighbridge.errors import Conflict, InvalidInput, NotAllowed, RepoNotFound, RevisionNotFound
from weighbridge.hub.access import require_readable
from weighbridge.hub.history import visible_history, visible_refs
from weighbridge.hub.ref import create_branch, create_tag, delete_branch, delete_tag
from weighbridge.hub.repo import Repo
from weighbridge.storage.sqlite import SqliteDatabase

BAD = ["", "a b", "a..b", "a~1", "a^", "a:b", "a?", "a*", "a[", "a\\b", "a\x00", "/a", "a/", "a//b", ".a", "a/.b",
       "a.", "a.lock", "a@{1}", "@", "-a", "refs/heads/x", "deadbee", "f" * 40, "x" * 201]  # fmt: skip


@pytest.mark.parametrize("name", BAD)
async def test_a_name_that_git_or_a_reader_would_misread_is_refused(
    db: SqliteDatabase, repo: Repo, alice: Reader, name: str
) -> None:
    with pytest.raises(InvalidInput, match="Invalid reference for a branch"):
        await create_branch(db, repo, alice, name, now_ms=NOW_MS)
    with pytest.raises(InvalidInput, match="Invalid reference for a tag"):
        await create_tag(db, repo, alice, name, now_ms=NOW_MS)


async def test_branches_and_tags_are_made_and_removed(db: SqliteDatabase, repo: Repo, alice: Reader) -> None:
    first = await require_readable(db, repo, "main", alice)
    second = await commit(db, repo, alice.require_account(), {"x": b"1"})
    assert await create_branch(db, repo, alice, "dev/x", start=first.oid, now_ms=NOW_MS) == first.oid
    assert await create_tag(db, repo, alice, "v1", message="One", now_ms=NOW_MS) == second.oid
    third = await commit(db, repo, alice.require_account(), {"y": b"2"}, branch="dev/x")
    refs = await visible_refs(db, repo, alice)
    assert [(ref.name, ref.oid) for ref in refs.branches] == [("dev/x", third.oid), ("main", second.oid)]
    assert [(ref.ref, ref.oid) for ref in refs.tags] == [("refs/tags/v1", second.oid)]
    assert [one.oid for one in await visible_history(db, repo, "dev/x", alice)] == [third.oid, first.oid]
    for make in (create_branch, create_tag):
        name = "dev/x" if make is create_branch else "v1"
        with pytest.raises(Conflict, match="already exists"):
            await make(db, repo, alice, name, now_ms=NOW_MS)
    with pytest.raises(RevisionNotFound):
        await create_branch(db, repo, alice, "other", start="never", now_ms=NOW_MS)
    await delete_branch(db, repo, alice, "dev/x", now_ms=NOW_MS)
    await delete_tag(db, repo, alice, "v1", now_ms=NOW_MS)
    for remove, name in ((delete_branch, "dev/x"), (delete_tag, "v1")):
        with pytest.raises(RevisionNotFound):
            await remove(db, repo, alice, name, now_ms=NOW_MS)
    assert (await require_readable(db, repo, third.oid, alice)).oid == third.oid


async def test_main_stays(db: SqliteDatabase, repo: Repo, alice: Reader) -> None:
    with pytest.raises(NotAllowed, match="Cannot delete refs/heads/main"):
        await delete_branch(db, repo, alice, "main", now_ms=NOW_MS)


async def test_refs_are_the_writers(db: SqliteDatabase, repo: Repo) -> None:
    for reader in (await person(db, "bob"), ANONYMOUS):
        with pytest.raises(RepoNotFound):
            await create_branch(db, repo, reader, "x", now_ms=NOW_MS)
        with pytest.raises(RepoNotFound):
            await delete_branch(db, repo, reader, "main", now_ms=NOW_MS)


async def test_a_released_commit_keeps_its_tags(db: SqliteDatabase) -> None:
    world = await World.create(db, keep)
    candidate = await world.commit("acme/one")
    tag = await world.tag("acme/one", candidate)
    number = await world.put_forward("acme/one", candidate)
    await world.publish("acme/one", number, "public", "public")
    ann = await world.reader("ann")
    with pytest.raises(Conflict, match="release 1"):
        await delete_tag(db, world.repos["acme/one"], ann, tag, now_ms=NOW_MS)
