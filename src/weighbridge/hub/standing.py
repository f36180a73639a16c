"""How an account stands to a repo: writer, internal, partner, reviewer, auditor, let in at the gate, or none of it.

    standing = await standing_on(db, repo, reader)

Who is who (shared with docs/architecture.md):

- *writer*: role write or admin, by the repo, its organisation, its own namespace, or admin of the hub.
- *internal*: any of read, contribute, write, admin by the organisation or by the repo.
- *partner*: named in the repo's cohort, itself or an organisation of which it is a member.
- *reviewer*, *auditor*: by the hub, the organisation or the repo; neither follows from being an admin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from weighbridge.accounts import Reader
from weighbridge.hub.audience import Audience
from weighbridge.hub.naming import QUERIES, Repo

if TYPE_CHECKING:
    from collections.abc import Iterable

    from weighbridge.storage.database import Session

_WRITES = frozenset({"write", "admin"})
_INTERNAL = frozenset({"read", "contribute", "write", "admin"})


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """One account and one repo. ``request``: '' | pending | accepted | rejected; ``known``: logged in."""

    known: bool = False
    writer: bool = False
    internal: bool = False
    partner: bool = False
    reviewer: bool = False
    auditor: bool = False
    request: str = ""

    def within(self, dial: Audience) -> bool:
        """Whether a dial at this position says something to this account: that the thing is there."""
        if dial in (Audience.PUBLIC, Audience.GATED):
            return True
        if dial is Audience.PARTNERS:
            return self.partner or self.internal
        return dial is Audience.INTERNAL and self.internal

    def reads(self, dial: Audience) -> bool:
        """Whether a weights dial at this position lets this account have the bytes."""
        if dial is Audience.GATED:
            return self.internal or self.partner or self.request == "accepted"
        return self.within(dial)


NOBODY = Standing()


async def standing_on(session: Session, repo: Repo, reader: Reader) -> Standing:
    """The reader's standing on a repo; nobody's for a token that is bound to another repo.

    To the tombstone of a deleted repo nobody is a writer any more.
    """
    account = reader.account_for(repo.id)
    if account is None:
        return NOBODY
    rows = await session.all(
        QUERIES["standing"], account_id=account.id, repo_id=repo.id, namespace_id=repo.namespace_id
    )
    owner = ["admin"] if account.id == repo.namespace_id else []
    return standing_from(
        {row["value"] for row in rows if row["tie"] == "role"}.union(owner),
        partner=any(row["tie"] == "partner" for row in rows),
        request=next((row["value"] for row in rows if row["tie"] == "request"), ""),
        alive=repo.deleted_ms is None,
    )


def standing_from(roles: Iterable[str], *, partner: bool, request: str, alive: bool) -> Standing:
    """The standing of an account that is logged in and has these roles (repo, organisation and hub together)."""
    given = frozenset(roles)
    return Standing(
        known=True,
        writer=alive and not _WRITES.isdisjoint(given),
        internal=not _INTERNAL.isdisjoint(given),
        partner=partner,
        reviewer="reviewer" in given,
        auditor="auditor" in given,
        request=request,
    )
