"""Roles: what an account may do at the hub, in an organisation, or on one repo.

    await grant_role(db, account_id=bob.id, scope=ScopeKind.ORGANISATION, scope_id=acme.id, role=Role.WRITE, now_ms=now)
    roles = await roles_on_repo(db, bob.id, repo)          # frozenset({write, contribute, read})

``read < contribute < write < admin`` include each other downwards. ``reviewer`` (may approve) and ``auditor`` (sees all
evidence, no weights) stand beside them: an admin is neither unless granted.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Protocol

import msgspec

from weighbridge.accounts.account import QUERIES, Account, account_from
from weighbridge.errors import Conflict, InvalidInput
from weighbridge.oversight.event import append_event
from weighbridge.storage.database import Database, Row, Session, in_transaction

HUB_SCOPE_ID = "hub"


class Role(StrEnum):
    """What a grant gives."""

    READ = "read"
    CONTRIBUTE = "contribute"
    WRITE = "write"
    ADMIN = "admin"
    REVIEWER = "reviewer"
    AUDITOR = "auditor"


class ScopeKind(StrEnum):
    """Where a grant holds."""

    HUB = "hub"
    ORGANISATION = "organisation"
    REPO = "repo"


class Membership(msgspec.Struct, frozen=True, kw_only=True):
    """An account (of a member, or of an organisation) and the roles that bind the two."""

    account: Account
    roles: frozenset[Role]


class Owned(Protocol):
    """What lies in a namespace: a ``hub.repo.Repo``, which this layer must not import."""

    @property
    def id(self) -> str:
        """The repo's id."""
        ...

    @property
    def namespace_id(self) -> str:
        """The account id of its namespace."""
        ...


LADDER = (Role.READ, Role.CONTRIBUTE, Role.WRITE, Role.ADMIN)
AT_HUB = frozenset({Role.ADMIN, Role.REVIEWER, Role.AUDITOR})
"""The roles that mean something at the hub as a whole."""


def with_implied(roles: Iterable[Role]) -> frozenset[Role]:
    """``roles`` and every lower step of the ladder."""
    given = frozenset(roles)
    top = max((LADDER.index(role) for role in given if role in LADDER), default=-1)
    return given | frozenset(LADDER[: top + 1])


async def grant_role(
    db: Database,
    *,
    account_id: str,
    scope: ScopeKind,
    role: Role,
    now_ms: int,
    scope_id: str = HUB_SCOPE_ID,
    actor_id: str | None = None,
) -> None:
    """Gives a role; giving it twice is giving it once. ``scope_id``: an organisation's or a repo's id.

    Raises: InvalidInput for a role that means nothing at that scope.
    """
    if scope is ScopeKind.HUB and (role not in AT_HUB or scope_id != HUB_SCOPE_ID):
        raise InvalidInput(f"could not grant {role}: at the hub there are only {', '.join(sorted(AT_HUB))}")
    if scope is not ScopeKind.HUB and scope_id == HUB_SCOPE_ID:
        raise InvalidInput(f"could not grant {role}: which {scope} is not said")
    row = {"account_id": account_id, "scope_kind": scope.value, "scope_id": scope_id, "role": role.value}

    async def work(tx: Session) -> None:
        if await tx.run(QUERIES["insert_grant"], **row, created_ms=now_ms):
            await append_event(tx, "role:grant", actor_id=actor_id, detail={**row}, now_ms=now_ms)

    await in_transaction(db, work)


async def revoke_role(
    db: Database,
    *,
    account_id: str,
    scope: ScopeKind,
    role: Role,
    now_ms: int,
    scope_id: str = HUB_SCOPE_ID,
    actor_id: str | None = None,
) -> None:
    """Takes a role away; taking what was not given changes nothing.

    Raises: Conflict when it is the last admin of the hub or of an organisation, which nobody could then manage.
    """
    row = {"account_id": account_id, "scope_kind": scope.value, "scope_id": scope_id, "role": role.value}

    async def work(tx: Session) -> None:
        if not await tx.run(QUERIES["delete_grant"], **row):
            return
        if role is Role.ADMIN and scope is not ScopeKind.REPO:
            left = await tx.one(QUERIES["count_grants"], scope_kind=scope.value, scope_id=scope_id, role=role.value)
            if left is None or not left["holders"]:
                raise Conflict(f"could not revoke admin: it is the last admin of the {scope}")
        await append_event(tx, "role:revoke", actor_id=actor_id, detail={**row}, now_ms=now_ms)

    await in_transaction(db, work)


async def roles_on_repo(db: Session, account_id: str, repo: Owned) -> frozenset[Role]:
    """Every role that an account has on a repo, by the hub, its organisation, or the repo, with what they imply.

    The owner of a personal namespace is its admin. Of the hub's roles, admin, reviewer and auditor reach every repo.
    """
    rows = await db.all(QUERIES["grants_at"], account_id=account_id, namespace_id=repo.namespace_id, repo_id=repo.id)
    roles = {Role(row["role"]) for row in rows}
    if account_id == repo.namespace_id:
        roles.add(Role.ADMIN)
    return with_implied(roles)


async def roles_in_namespace(db: Session, account_id: str, namespace_id: str) -> frozenset[Role]:
    """Every role of an account in a whole namespace: its own, or an organisation's, or by the hub."""
    rows = await db.all(QUERIES["grants_at"], account_id=account_id, namespace_id=namespace_id, repo_id=namespace_id)
    roles = {Role(row["role"]) for row in rows}
    if account_id == namespace_id:
        roles.add(Role.ADMIN)
    return with_implied(roles)


async def hub_roles(db: Session, account_id: str) -> frozenset[Role]:
    """The roles granted at the hub as a whole, as granted."""
    rows = await db.all(QUERIES["grants_of_account"], account_id=account_id, scope_kind="hub")
    return frozenset(Role(row["role"]) for row in rows)


async def members_of(db: Session, organisation_id: str) -> list[Membership]:
    """The members of an organisation by name, with their roles as granted."""
    return _memberships(await db.all(QUERIES["members_of"], organisation_id=organisation_id))


async def organisations_of(db: Session, account_id: str) -> list[Membership]:
    """The organisations of an account by name, with its roles there as granted."""
    return _memberships(await db.all(QUERIES["organisations_of"], account_id=account_id))


def _memberships(rows: list[Row]) -> list[Membership]:
    roles: dict[str, set[Role]] = {}
    accounts: dict[str, Account] = {}
    for row in rows:
        accounts.setdefault(row["id"], account_from(row))
        roles.setdefault(row["id"], set()).add(Role(row["role"]))
    return [Membership(account=account, roles=frozenset(roles[key])) for key, account in accounts.items()]
