from __future__ import annotations

import pytest

from tests.hub.conftest import NOW_MS, keep, person
from weighbridge.accounts import (
    ANONYMOUS,
    Reader,
    Role,
    ScopeKind,
    authenticate,
    create_organisation,
    create_token,
    disable_account,
    grant_role,
)
from weighbridge.errors import Conflict, InvalidInput, NotAllowed, NotAuthenticated, NotFound, RepoNotFound
from weighbridge.hub.access import Hidden, require_readable, visible_revision
from weighbridge.hub.files import all_files
from weighbridge.hub.repo import Repo, create_repo, delete_repo, find_repo, update_settings
from weighbridge.oversight.event import list_events
from weighbridge.storage.sqlite import SqliteDatabase


async def make(db: SqliteDatabase, reader: Reader, full_name: str, **options: str) -> Repo:
    namespace, _, name = full_name.partition("/")
    options.setdefault("type", "model")
    return await create_repo(db, reader, namespace=namespace, name=name, put_bytes=keep, now_ms=NOW_MS, **options)


async def test_a_new_repo_has_main_with_the_standard_attributes_and_an_event(
    db: SqliteDatabase, alice: Reader, repo: Repo
) -> None:
    tip = await require_readable(db, repo, "main", alice)
    assert [file.path for file in await all_files(db, tip)] == [".gitattributes"]
    assert (tip.parent_oid, tip.title, tip.author, tip.committed_ms) == (None, "initial commit", "alice", NOW_MS)
    assert {event.action for event in await list_events(db, repo_id=repo.id)} == {"repo:create", "commit:create"}


async def test_a_repo_is_found_in_any_case_and_by_its_type(db: SqliteDatabase, repo: Repo) -> None:
    assert await find_repo(db, "model", "ALICE/Tiny") == repo
    assert await find_repo(db, "dataset", "alice/tiny") is None
    assert await find_repo(db, "model", "alice/other") is None


async def test_nobody_else_knows_of_a_new_repo(db: SqliteDatabase, repo: Repo) -> None:
    bob = await person(db, "bob")
    for reader in (bob, ANONYMOUS):
        seen = await visible_revision(db, repo, "main", reader)
        assert isinstance(seen, Hidden)
        assert seen.level == "repo"


@pytest.mark.parametrize("name", ["", "a b", "a--b", "a..b", "a.git", "a.", "ä", "a/b", "x" * 97, "."])
async def test_a_name_that_is_no_name_is_refused(db: SqliteDatabase, alice: Reader, name: str) -> None:
    with pytest.raises(InvalidInput):
        await create_repo(db, alice, type="model", namespace="alice", name=name, put_bytes=keep, now_ms=NOW_MS)
    assert await find_repo(db, "model", f"alice/{name}") is None


async def test_what_cannot_be_set_is_refused(db: SqliteDatabase, alice: Reader, repo: Repo) -> None:
    for options in ({"type": "space"}, {"gated": "yes"}, {"wish": "private"}, {"policy": ""}):
        with pytest.raises(InvalidInput):
            await make(db, alice, "alice/other", **options)
    with pytest.raises(InvalidInput):
        await update_settings(db, repo, alice, now_ms=NOW_MS, gated="yes")


async def test_a_name_is_taken_once_in_any_case(db: SqliteDatabase, alice: Reader, repo: Repo) -> None:
    with pytest.raises(Conflict, match="alice/tiny exists"):
        await make(db, alice, "alice/TINY")
    assert (await make(db, alice, "alice/tiny", type="dataset")).type == "dataset"


async def test_only_who_may_write_in_a_namespace_makes_repos_there(db: SqliteDatabase, alice: Reader) -> None:
    bob = await person(db, "bob")
    read_only = await person(db, "carl", "read")
    assert bob.account and alice.account
    acme = await create_organisation(db, name="acme", created_by=alice.account.id, now_ms=NOW_MS)
    for reader, name, error in (
        (ANONYMOUS, "acme/x", NotAuthenticated),
        (bob, "acme/x", NotAllowed),
        (bob, "alice/x", NotAllowed),
        (read_only, "carl/x", NotAllowed),
        (bob, "nowhere/x", NotFound),
    ):
        with pytest.raises(error):
            await make(db, reader, name)
    await grant_role(db, account_id=bob.account.id, scope=ScopeKind.ORGANISATION, scope_id=acme.id,
                     role=Role.CONTRIBUTE, now_ms=NOW_MS)  # fmt: skip
    with pytest.raises(NotAllowed):
        await make(db, bob, "acme/x")
    await grant_role(db, account_id=bob.account.id, scope=ScopeKind.ORGANISATION, scope_id=acme.id, role=Role.WRITE,
                     now_ms=NOW_MS)  # fmt: skip
    assert (await make(db, bob, "ACME/x")).full_name == "acme/x"
    await disable_account(db, acme.id, actor_id=None, now_ms=NOW_MS)
    with pytest.raises(NotFound):
        await make(db, bob, "acme/y")


async def test_a_token_for_one_repo_makes_no_others(db: SqliteDatabase, alice: Reader, repo: Repo) -> None:
    assert alice.account
    _, text = await create_token(db, account_id=alice.account.id, name="one", scopes=["write"], now_ms=NOW_MS,
                                 repo_id=repo.id)  # fmt: skip
    bound = await authenticate(db, text, now_ms=NOW_MS)
    with pytest.raises(NotAllowed):
        await make(db, bound, "alice/other")
    await require_readable(db, repo, "main", bound)


async def test_settings_are_the_writers(db: SqliteDatabase, alice: Reader, repo: Repo) -> None:
    new = await update_settings(
        db, repo, alice, now_ms=NOW_MS + 1, gated="manual", wish="internal", policy="responsible"
    )
    assert await find_repo(db, "model", "alice/tiny") == new
    assert (new.gated, new.wish, new.policy, new.updated_ms) == ("manual", "internal", "responsible", NOW_MS + 1)
    with pytest.raises(RepoNotFound):
        await update_settings(db, repo, await person(db, "bob"), now_ms=NOW_MS, gated="auto")
    reads = await person(db, "carl", "read")
    assert reads.account
    await grant_role(db, account_id=reads.account.id, scope=ScopeKind.REPO, scope_id=repo.id, role=Role.WRITE,
                     now_ms=NOW_MS)  # fmt: skip
    with pytest.raises(NotAllowed, match="scope"):
        await update_settings(db, repo, reads, now_ms=NOW_MS, gated="auto")


async def test_a_deleted_repo_is_gone_and_its_name_free(db: SqliteDatabase, alice: Reader, repo: Repo) -> None:
    with pytest.raises(RepoNotFound):
        await delete_repo(db, repo, await person(db, "bob"), now_ms=NOW_MS)
    await delete_repo(db, repo, alice, now_ms=NOW_MS)
    assert await find_repo(db, "model", "alice/tiny") is None
    again = await make(db, alice, "alice/tiny")
    assert again.id != repo.id
