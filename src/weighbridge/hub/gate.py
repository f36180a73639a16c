"""Who is let in: partners that a repo names, and requests for access to gated weights.

await name_partner(db, repo, bob.id, reader, now_ms=clock())
status = await ask_access(db, repo, reader, now_ms=clock())       # accepted where the gate is "auto", else pending
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from weighbridge.accounts import Account, get_account
from weighbridge.accounts.account import account_from
from weighbridge.errors import Conflict, InvalidInput, RepoNotFound
from weighbridge.hub.access import NO_REPO, require_writer, visible_revision
from weighbridge.hub.naming import QUERIES, Repo
from weighbridge.hub.visible import Gated, Hidden
from weighbridge.oversight.event import append_event
from weighbridge.storage.database import in_transaction

if TYPE_CHECKING:
    from weighbridge.accounts import Reader
    from weighbridge.storage.database import Database, Session


class AccessStatus(StrEnum):
    """Where a request for access stands."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


class AccessRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One account's request for access to a gated repo. ``account`` is its name."""

    account_id: str
    account: str
    full_name: str
    status: AccessStatus
    updated_ms: int


async def name_partner(db: Database, repo: Repo, account_id: str, reader: Reader, *, now_ms: int) -> None:
    """A person or an organisation becomes a partner of the repo; twice is once.

    Raises: NotFound for the account, and as ``require_writer``.
    """
    actor = await require_writer(db, repo, reader)
    await get_account(db, account_id)

    async def work(tx: Session) -> None:
        if await tx.run(QUERIES["add_partner"], repo_id=repo.id, account_id=account_id, now_ms=now_ms):
            await append_event(tx, "cohort:add", actor_id=actor.id, repo_id=repo.id, now_ms=now_ms,
                               detail={"account": account_id})  # fmt: skip

    await in_transaction(db, work)


async def remove_partner(db: Database, repo: Repo, account_id: str, reader: Reader, *, now_ms: int) -> None:
    """The account is no partner any more; one that was none changes nothing. Raises: as ``require_writer``."""
    actor = await require_writer(db, repo, reader)

    async def work(tx: Session) -> None:
        if await tx.run(QUERIES["remove_partner"], repo_id=repo.id, account_id=account_id):
            await append_event(tx, "cohort:remove", actor_id=actor.id, repo_id=repo.id, now_ms=now_ms,
                               detail={"account": account_id})  # fmt: skip

    await in_transaction(db, work)


async def list_partners(db: Database, repo: Repo, reader: Reader) -> list[Account]:
    """The partners by name. Raises: as ``require_writer``: who a partner is, is between it and the writers."""
    await require_writer(db, repo, reader, scope="read")
    return [account_from(row) for row in await db.all(QUERIES["partners"], repo_id=repo.id)]


async def ask_access(db: Database, repo: Repo, reader: Reader, *, now_ms: int) -> AccessStatus:
    """Asks for access to gated weights: accepted at once where the repo's gate is ``auto``, else pending.

    Asked again, it is as it stands. Raises: NotAuthenticated, RepoNotFound, Conflict when there is no gate to ask at.
    """
    account = reader.require_account()
    visible = await visible_revision(db, repo, "main", reader)
    if isinstance(visible, Hidden) or reader.account_for(repo.id) is None:
        raise RepoNotFound(NO_REPO)
    row = await db.one(QUERIES["access_request"], repo_id=repo.id, account_id=account.id)
    if row:
        return AccessStatus(row["status"])
    if not isinstance(visible, Gated):
        raise Conflict(f"could not ask for access: {repo.full_name} has no gate for you")
    status = AccessStatus.ACCEPTED if repo.gated == "auto" else AccessStatus.PENDING
    await _set(db, repo, account.id, status, actor_id=account.id, now_ms=now_ms)
    return status


async def answer_access(
    db: Database, repo: Repo, account_id: str, reader: Reader, *, status: AccessStatus, now_ms: int
) -> None:
    """A writer lets an account in, turns it away, or puts its request back; also one that did not ask.

    Raises: InvalidInput, NotFound for the account, and as ``require_writer``.
    """
    actor = await require_writer(db, repo, reader)
    if status not in set(AccessStatus):
        raise InvalidInput("could not answer: a status is pending, accepted or rejected")
    await get_account(db, account_id)
    await _set(db, repo, account_id, status, actor_id=actor.id, now_ms=now_ms)


async def access_requests(db: Database, repo: Repo, reader: Reader, status: AccessStatus) -> list[AccessRequest]:
    """The requests of one status, latest first. Raises: as ``require_writer``."""
    await require_writer(db, repo, reader, scope="read")
    rows = await db.all(QUERIES["access_requests"], repo_id=repo.id, status=status.value)
    return [msgspec.convert(row, AccessRequest) for row in rows]


async def _set(db: Database, repo: Repo, account_id: str, status: AccessStatus, *, actor_id: str, now_ms: int) -> None:
    async def work(tx: Session) -> None:
        await tx.run(QUERIES["set_access_request"], repo_id=repo.id, account_id=account_id, status=status.value,
                     now_ms=now_ms)  # fmt: skip
        await append_event(tx, f"access:{status}", actor_id=actor_id, repo_id=repo.id, now_ms=now_ms,
                           detail={"account": account_id})  # fmt: skip

    await in_transaction(db, work)
