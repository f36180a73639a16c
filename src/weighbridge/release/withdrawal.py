"""Withdrawal: the owner takes a release back. Readers see it at once; the signed statement follows into the log.

await withdraw(db, case, actor=account, reason="…", now_ms=clock())      # web side: visible_revision sees the row
await sign_withdrawal(desk, release_id)      # worker side, in withdrawal_stage
"""

from __future__ import annotations

import secrets

from weighbridge.accounts import Account
from weighbridge.errors import Conflict, InvalidInput
from weighbridge.evidence.times import rfc3339
from weighbridge.oversight.event import append_event
from weighbridge.release.case import Case
from weighbridge.release.names import ReleaseState
from weighbridge.storage.database import Database, Session, in_transaction, load_queries

QUERIES = load_queries("weighbridge.release")
MAX_REASON_CHARS = 10_000


async def withdraw(db: Database, case: Case, *, actor: Account, reason: str, now_ms: int) -> None:
    """Takes the release from its readers, now. Withdrawing twice changes nothing: the first reason stands.

    Raises:
        InvalidInput: no reason.
        Conflict: the release is not out.
    """
    words = reason.strip()
    if not words or len(words) > MAX_REASON_CHARS:
        raise InvalidInput(
            f"could not withdraw release {case.row['number']}: it needs a reason of 1 to {MAX_REASON_CHARS} characters",
            hint="Say why with --reason; readers see it.",
        )

    async def work(tx: Session) -> None:
        row = await tx.one(QUERIES["release_by_id"], id=case.id)
        if row is None or row["state"] != ReleaseState.RELEASED:
            raise Conflict(f"could not withdraw release {case.row['number']} of {case.repo.full_name}: it is not out")
        advisory_id = f"WB-{rfc3339(now_ms)[:4]}-{secrets.token_hex(6)}"
        added = await tx.run(
            QUERIES["insert_withdrawal"],
            release_id=case.id,
            advisory_id=advisory_id,
            reason=words,
            actor_id=actor.id,
            now_ms=now_ms,
        )
        if added:
            await append_event(
                tx, "release:withdraw", actor_id=actor.id, repo_id=case.repo.id, release_id=case.id, now_ms=now_ms,
                detail={"advisory": advisory_id},
            )  # fmt: skip

    await in_transaction(db, work)
