from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from weighbridge.accounts import (
    ANONYMOUS,
    Account,
    Role,
    ScopeKind,
    authenticate,
    check_password,
    close_session,
    create_organisation,
    create_token,
    create_user,
    disable_account,
    find_account,
    get_account,
    grant_role,
    hub_roles,
    list_accounts,
    list_tokens,
    members_of,
    open_session,
    organisations_of,
    revoke_role,
    revoke_token,
    roles_in_namespace,
    roles_on_repo,
    set_password,
)
from weighbridge.errors import Conflict, InvalidInput, NotAuthenticated, NotFound
from weighbridge.hub.naming import Repo
from weighbridge.oversight.event import append_event, list_events
from weighbridge.storage.sqlite import SqliteDatabase

NOW_MS = 1_700_000_000_000
INVALID = "Invalid credentials in Authorization header"


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    database = SqliteDatabase(tmp_path / "metadata.sqlite")
    await database.migrate()
    yield database
    await database.close()


@pytest.fixture
async def alice(db: SqliteDatabase) -> Account:
    return await create_user(db, name="Alice", full_name="Alice A.", now_ms=NOW_MS)


async def token(db: SqliteDatabase, account: Account, *scopes: str, **options) -> str:
    _, text = await create_token(
        db, account_id=account.id, name="t", scopes=scopes or ("read",), now_ms=NOW_MS, **options
    )
    return text


async def test_an_account_is_found_in_any_case(db: SqliteDatabase, alice: Account) -> None:
    assert await find_account(db, "aLICE") == alice == await get_account(db, alice.id)
    assert (alice.name, alice.full_name, alice.kind, alice.policy) == ("Alice", "Alice A.", "user", "open")
    assert alice.uri.startswith("urn:uuid:")
    assert await find_account(db, "bob") is None
    with pytest.raises(NotFound):
        await get_account(db, "0" * 32)
    await create_user(db, name="bob", now_ms=NOW_MS)
    assert [account.name for account in await list_accounts(db)] == ["Alice", "bob"]
    assert [account.name for account in await list_accounts(db, after="Alice")] == ["bob"]


@pytest.mark.parametrize(
    "name", ["", "a b", "a--b", "api", "API", "datasets", "tlog", "x" * 97, "a.git", "ä", "..", "."]
)
async def test_a_name_that_cannot_be_a_namespace_is_refused(db: SqliteDatabase, name: str) -> None:
    with pytest.raises(InvalidInput):
        await create_user(db, name=name, now_ms=NOW_MS)
    assert await list_accounts(db) == []


async def test_a_name_is_taken_once_by_people_and_organisations(db: SqliteDatabase, alice: Account) -> None:
    for create in (create_user, create_organisation):
        with pytest.raises(Conflict):
            await create(db, name="ALICE", now_ms=NOW_MS)


async def test_a_token_is_kept_as_its_digest_only(db: SqliteDatabase, alice: Account) -> None:
    token_id, text = await create_token(db, account_id=alice.id, name="laptop", scopes=["write"], now_ms=NOW_MS)
    assert text.startswith("wb_")
    assert len(text) == 43
    assert text[3:].isalnum()
    reader = await authenticate(db, text, now_ms=NOW_MS)
    assert (reader.account, reader.token_id, reader.token_name, reader.session) == (alice, token_id, "laptop", False)
    assert [reader.may(scope) for scope in ("read", "write", "approve", "admin")] == [True, True, False, False]
    for table in ("token", "event"):
        rows = await db.all(f"SELECT * FROM {table}")
        assert rows
        assert text not in str(rows)


async def test_a_token_that_does_not_hold_is_told_in_one_text(db: SqliteDatabase, alice: Account) -> None:
    expires = await token(db, alice, expires_ms=NOW_MS + 1000)
    revoked_id, revoked = await create_token(db, account_id=alice.id, name="r", scopes=["read"], now_ms=NOW_MS)
    await authenticate(db, expires, now_ms=NOW_MS + 999)
    await authenticate(db, revoked, now_ms=NOW_MS)
    await revoke_token(db, revoked_id, now_ms=NOW_MS)
    await revoke_token(db, revoked_id, now_ms=NOW_MS + 1)
    for text in (expires, revoked, "", "wb_never", "x" * 10_000, "ä\ud800"):
        with pytest.raises(NotAuthenticated) as caught:
            await authenticate(db, text, now_ms=NOW_MS + 1000)
        assert caught.value.message == INVALID
    good = await token(db, alice)
    await authenticate(db, good, now_ms=NOW_MS)
    await disable_account(db, alice.id, actor_id=None, now_ms=NOW_MS)
    with pytest.raises(NotAuthenticated, match=INVALID):
        await authenticate(db, good, now_ms=NOW_MS)
    with pytest.raises(NotFound):
        await revoke_token(db, "never", now_ms=NOW_MS)


async def test_a_token_for_one_repo_is_nobodys_elsewhere(db: SqliteDatabase, alice: Account) -> None:
    reader = await authenticate(db, await token(db, alice, repo_id="r1"), now_ms=NOW_MS)
    assert reader.account_for("r1") == alice
    assert reader.account_for("r2") is None
    assert ANONYMOUS.account_for("r1") is None
    assert reader.require_account() == alice
    with pytest.raises(NotAuthenticated):
        ANONYMOUS.require_account()


async def test_a_token_may_be_given_its_text_once(db: SqliteDatabase, alice: Account) -> None:
    text = "x" * 20
    first = await create_token(db, account_id=alice.id, name="auto", scopes=["admin"], now_ms=NOW_MS, text=text)
    assert await create_token(db, account_id=alice.id, name="auto", scopes=["admin"], now_ms=NOW_MS, text=text) == first
    bob = await create_user(db, name="bob", now_ms=NOW_MS)
    with pytest.raises(Conflict):
        await create_token(db, account_id=bob.id, name="auto", scopes=["read"], now_ms=NOW_MS, text=text)
    await revoke_token(db, first[0], now_ms=NOW_MS)
    with pytest.raises(Conflict):
        await create_token(db, account_id=alice.id, name="auto", scopes=["read"], now_ms=NOW_MS, text=text)
    assert [one.revoked_ms for one in await list_tokens(db, alice.id)] == [NOW_MS]


@pytest.mark.parametrize(
    "wrong",
    [
        {"scopes": []}, {"scopes": ["all"]}, {"name": " "}, {"name": "x" * 97}, {"expires_ms": NOW_MS},
        {"text": "x" * 19}, {"text": "x" * 513}, {"text": "ä" * 30}, {"text": "x\n" * 20},
    ],
)  # fmt: skip
async def test_a_token_that_makes_no_sense_is_refused(
    db: SqliteDatabase, alice: Account, wrong: dict[str, object]
) -> None:
    with pytest.raises(InvalidInput):
        await create_token(db, **{"account_id": alice.id, "name": "t", "scopes": ["read"], "now_ms": NOW_MS, **wrong})
    assert await list_tokens(db, alice.id) == []


async def test_a_session_is_a_login_that_ends(db: SqliteDatabase, alice: Account) -> None:
    text, expires_ms = await open_session(db, alice.id, now_ms=NOW_MS)
    reader = await authenticate(db, text, now_ms=expires_ms - 1)
    assert (reader.session, reader.may("admin"), reader.may("approve")) == (True, True, True)
    assert await list_tokens(db, alice.id) == []
    with pytest.raises(NotAuthenticated):
        await authenticate(db, text, now_ms=expires_ms)
    await close_session(db, text, now_ms=NOW_MS)
    with pytest.raises(NotAuthenticated):
        await authenticate(db, text, now_ms=NOW_MS)
    other = await token(db, alice)
    await close_session(db, other, now_ms=NOW_MS)
    await authenticate(db, other, now_ms=NOW_MS)


async def test_a_password_is_checked_and_never_kept(db: SqliteDatabase, alice: Account) -> None:
    with pytest.raises(NotAuthenticated):
        await check_password(db, "alice", "correct horse battery")
    await set_password(db, alice.id, "correct horse battery", now_ms=NOW_MS)
    assert await check_password(db, "ALICE", "correct horse battery") == alice
    told: set[str] = set()
    for name, password in (("alice", "wrong horse battery"), ("bob", "correct horse battery"), ("alice", "x" * 5000)):
        with pytest.raises(NotAuthenticated) as caught:
            await check_password(db, name, password)
        told.add(caught.value.message)
    assert len(told) == 1
    row = await db.one("SELECT password_hash FROM account WHERE id = :id", id=alice.id)
    assert row
    assert row["password_hash"].startswith("$argon2id$")
    for short in ("x" * 11, "x" * 1025):
        with pytest.raises(InvalidInput):
            await set_password(db, alice.id, short, now_ms=NOW_MS)
    await disable_account(db, alice.id, actor_id=None, now_ms=NOW_MS)
    with pytest.raises(NotAuthenticated):
        await check_password(db, "alice", "correct horse battery")


def _repo(namespace: Account) -> Repo:
    return Repo(id="r1", type="model", namespace_id=namespace.id, namespace=namespace.name, name="x", policy=None,
                gated="false", wish="public", created_by=namespace.id, created_ms=0, updated_ms=0)  # fmt: skip


async def test_roles_come_from_hub_organisation_repo_and_namespace(db: SqliteDatabase, alice: Account) -> None:
    bob = await create_user(db, name="bob", now_ms=NOW_MS)
    acme = await create_organisation(db, name="acme", created_by=alice.id, now_ms=NOW_MS)
    repo, own = _repo(acme), _repo(bob)
    everything = {Role.READ, Role.CONTRIBUTE, Role.WRITE, Role.ADMIN}
    assert await roles_on_repo(db, alice.id, repo) == everything
    assert await roles_on_repo(db, alice.id, own) == frozenset()
    assert await roles_on_repo(db, bob.id, own) == everything
    assert await roles_in_namespace(db, bob.id, bob.id) == everything
    assert await roles_on_repo(db, bob.id, repo) == frozenset()
    give = {"account_id": bob.id, "now_ms": NOW_MS}
    await grant_role(db, **give, scope=ScopeKind.ORGANISATION, scope_id=acme.id, role=Role.CONTRIBUTE)
    await grant_role(db, **give, scope=ScopeKind.REPO, scope_id=repo.id, role=Role.REVIEWER)
    await grant_role(db, **give, scope=ScopeKind.HUB, role=Role.AUDITOR)
    await grant_role(db, **give, scope=ScopeKind.HUB, role=Role.AUDITOR)
    assert await roles_on_repo(db, bob.id, repo) == {Role.READ, Role.CONTRIBUTE, Role.REVIEWER, Role.AUDITOR}
    assert await roles_in_namespace(db, bob.id, acme.id) == {Role.READ, Role.CONTRIBUTE, Role.AUDITOR}
    assert await hub_roles(db, bob.id) == {Role.AUDITOR}
    assert [(one.account.name, one.roles) for one in await organisations_of(db, bob.id)] == [
        ("acme", {Role.CONTRIBUTE})
    ]
    assert [one.account.name for one in await members_of(db, acme.id)] == ["Alice", "bob"]
    await revoke_role(db, **give, scope=ScopeKind.ORGANISATION, scope_id=acme.id, role=Role.CONTRIBUTE)
    assert await roles_in_namespace(db, bob.id, acme.id) == {Role.AUDITOR}


async def test_a_role_that_means_nothing_there_is_refused(db: SqliteDatabase, alice: Account) -> None:
    for scope, scope_id, role in (
        (ScopeKind.HUB, "hub", Role.WRITE), (ScopeKind.HUB, "acme", Role.ADMIN), (ScopeKind.REPO, "hub", Role.READ),
    ):  # fmt: skip
        with pytest.raises(InvalidInput):
            await grant_role(db, account_id=alice.id, scope=scope, scope_id=scope_id, role=role, now_ms=NOW_MS)


async def test_the_last_admin_stays(db: SqliteDatabase, alice: Account) -> None:
    acme = await create_organisation(db, name="acme", created_by=alice.id, now_ms=NOW_MS)
    await grant_role(db, account_id=alice.id, scope=ScopeKind.HUB, role=Role.ADMIN, now_ms=NOW_MS)
    for scope, scope_id in ((ScopeKind.HUB, "hub"), (ScopeKind.ORGANISATION, acme.id)):
        with pytest.raises(Conflict):
            await revoke_role(db, account_id=alice.id, scope=scope, scope_id=scope_id, role=Role.ADMIN, now_ms=NOW_MS)
    assert await hub_roles(db, alice.id) == {Role.ADMIN}
    bob = await create_user(db, name="bob", now_ms=NOW_MS)
    await revoke_role(db, account_id=bob.id, scope=ScopeKind.HUB, role=Role.ADMIN, now_ms=NOW_MS)
    await grant_role(db, account_id=bob.id, scope=ScopeKind.HUB, role=Role.ADMIN, now_ms=NOW_MS)
    await revoke_role(db, account_id=alice.id, scope=ScopeKind.HUB, role=Role.ADMIN, now_ms=NOW_MS)
    assert await hub_roles(db, alice.id) == frozenset()


async def test_events_are_there_with_the_change_or_not_at_all(db: SqliteDatabase, alice: Account) -> None:
    with pytest.raises(RuntimeError):
        async with db.transaction() as tx:
            await append_event(tx, "test:undone", now_ms=NOW_MS)
            raise RuntimeError
    async with db.transaction() as tx:
        with pytest.raises(ValueError, match="subject:action"):
            await append_event(tx, "no action", now_ms=NOW_MS)
        await append_event(tx, "test:done", now_ms=NOW_MS + 1, repo_id="r", detail={"a": 1})
    events = await list_events(db)
    assert [event.action for event in events] == ["test:done", "account:create"]
    assert events[0].detail == {"a": 1}
    assert events[1].detail["account"] == alice.id
    assert [event.action for event in await list_events(db, repo_id="r")] == ["test:done"]
