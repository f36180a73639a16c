"""Accounts: people and organisations. An account's name is its namespace, found without regard to case.

alice = await create_user(db, name="alice", now_ms=clock())
acme = await create_organisation(db, name="acme", created_by=alice.id, now_ms=clock())
"""

from __future__ import annotations

import re
import secrets
import uuid
from enum import StrEnum

import msgspec

from weighbridge.errors import Conflict, InvalidInput, NotFound
from weighbridge.oversight.event import append_event
from weighbridge.storage.database import ChangedMeanwhile, Database, Row, Session, in_transaction, load_queries

QUERIES = load_queries("weighbridge.accounts")
DEFAULT_POLICY = "open"

_OF_THE_SITE = (
    "about account accounts api approvals assets audit auth blob blobs chat collections datasets docs explore "
    "favicon.ico healthz help hub join kernels login logout metrics models new none oauth organisations organizations "
    "papers pricing privacy raw readyz releases reports resolve robots.txt search settings signup spaces static tlog "
    "tokens tree trust uploads user users v1 v2 verify well-known .well-known weighbridge www"
)
RESERVED_NAMES = frozenset(_OF_THE_SITE.split())
"""Namespaces that the site's own URLs need."""

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,96}")


class AccountKind(StrEnum):
    """A person, or an organisation with members."""

    USER = "user"
    ORGANISATION = "organisation"


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A person or an organisation. ``uri`` is the pseudonym that signed statements carry."""

    id: str
    uri: str
    kind: AccountKind
    name: str
    full_name: str
    policy: str
    created_ms: int
    disabled_ms: int | None = None


def check_name(name: str, *, what: str = "name") -> str:
    """``name`` itself, when it can be part of a repo id (docs/format.md section 2).

    Raises: InvalidInput, with the rule that it breaks.
    """
    problem = ""
    if not _NAME.fullmatch(name):
        problem = "it may hold letters, digits, '_', '.' and '-', 1 to 96 of them"
    elif "--" in name or ".." in name:
        problem = "'--' and '..' are not allowed in it"
    elif name.lower().endswith(".git") or name.endswith("."):
        problem = "it may not end in '.git' or '.'"
    elif name == ".":
        problem = "it may not be '.'"
    if problem:
        raise InvalidInput(f"could not use {what} {name[:120]!r}: {problem}")
    return name


async def create_user(
    db: Database,
    *,
    name: str,
    now_ms: int,
    full_name: str = "",
    policy: str = DEFAULT_POLICY,
    actor_id: str | None = None,
) -> Account:
    """The new person. Without a password, only tokens log them in.

    Raises: InvalidInput for a name that cannot be used, Conflict for one that is taken.
    """

    async def work(tx: Session) -> Account:
        return await _create(tx, AccountKind.USER, name, full_name, policy=policy, actor_id=actor_id, now_ms=now_ms)

    return await in_transaction(db, work)


async def create_organisation(
    db: Database,
    *,
    name: str,
    now_ms: int,
    created_by: str | None = None,
    full_name: str = "",
    policy: str = DEFAULT_POLICY,
) -> Account:
    """The new organisation; ``created_by`` (an account id) becomes its first admin.

    Raises: InvalidInput for a name that cannot be used, Conflict for one that is taken.
    """
    kind = AccountKind.ORGANISATION

    async def work(tx: Session) -> Account:
        account = await _create(tx, kind, name, full_name, policy=policy, actor_id=created_by, now_ms=now_ms)
        if created_by is not None:
            await tx.run(
                QUERIES["insert_grant"],
                account_id=created_by,
                scope_kind="organisation",
                scope_id=account.id,
                role="admin",
                created_ms=now_ms,
            )
        return account

    return await in_transaction(db, work)


async def find_account(db: Session, name: str) -> Account | None:
    """The account of that name, in any case, disabled or not; None when there is none."""
    row = await db.one(QUERIES["account_by_name"], name_key=name.lower())
    return account_from(row) if row else None


async def get_account(db: Session, account_id: str) -> Account:
    """The account of that id. Raises: NotFound."""
    row = await db.one(QUERIES["account_by_id"], id=account_id)
    if row is None:
        raise NotFound("could not find the account: no account has this id")
    return account_from(row)


async def list_accounts(db: Session, *, after: str = "", limit: int = 100) -> list[Account]:
    """At most ``limit`` accounts by name, from the one after the name ``after``."""
    rows = await db.all(QUERIES["accounts"], after=after.lower(), most=limit)
    return [account_from(row) for row in rows]


async def disable_account(db: Database, account_id: str, *, actor_id: str | None, now_ms: int) -> None:
    """Its tokens, sessions and password stop working at once; what it did stays. Raises: NotFound."""
    await get_account(db, account_id)

    async def work(tx: Session) -> None:
        if await tx.run(QUERIES["disable_account"], id=account_id, now_ms=now_ms):
            detail: dict[str, object] = {"account": account_id}
            await append_event(tx, "account:disable", actor_id=actor_id, detail=detail, now_ms=now_ms)

    await in_transaction(db, work)


def account_from(row: Row) -> Account:
    """The struct of a row that holds an account's columns under their own names."""
    return Account(
        id=row["id"],
        uri=row["uri"],
        kind=AccountKind(row["kind"]),
        name=row["name"],
        full_name=row["full_name"],
        policy=row["policy"],
        created_ms=row["created_ms"],
        disabled_ms=row["disabled_ms"],
    )


async def insert_named(tx: Session, sql: str, name: str, /, **row: object) -> None:
    """Inserts a row whose name only one may have, and says so in words when another call took it meanwhile.

    Raises: Conflict.
    """
    try:
        await tx.run(sql, **row)
    except ChangedMeanwhile:
        raise
    except Conflict as error:
        raise Conflict(f"could not create {name!r}: {name} exists already") from error


async def _create(
    tx: Session, kind: AccountKind, name: str, full_name: str, *, policy: str, actor_id: str | None, now_ms: int
) -> Account:
    check_name(name)
    if name.lower() in RESERVED_NAMES:
        raise InvalidInput(f"could not use name {name!r}: the site needs it for itself")
    if await find_account(tx, name):
        raise Conflict(f"could not create {name!r}: an account of this name exists")
    account = Account(
        id=secrets.token_hex(16),
        uri=uuid.UUID(bytes=secrets.token_bytes(16), version=4).urn,
        kind=kind,
        name=name,
        full_name=full_name or name,
        policy=policy,
        created_ms=now_ms,
    )
    row = {**msgspec.structs.asdict(account), "name_key": name.lower(), "kind": kind.value}
    del row["disabled_ms"]
    await insert_named(tx, QUERIES["insert_account"], name, **row)
    detail: dict[str, object] = {"account": account.id, "kind": kind.value}
    await append_event(tx, "account:create", actor_id=actor_id, detail=detail, now_ms=now_ms)
    return account
