"""The worker's half of an approval: signs it with that person's own key, made and vouched for the first time."""

from __future__ import annotations

from weighbridge.accounts import Account, get_account, roles_on_repo
from weighbridge.evidence import predicates
from weighbridge.evidence.envelope import Envelope, sign_statement
from weighbridge.evidence.keys import derive_salt, load_or_create_p256
from weighbridge.evidence.predicates import reason_digest
from weighbridge.evidence.public_key import public_pem
from weighbridge.evidence.statement import Kind
from weighbridge.evidence.times import rfc3339
from weighbridge.oversight.event import append_event
from weighbridge.release.approval import ApprovalOrder, check_approval
from weighbridge.release.case import Case, put_statement, read_case
from weighbridge.release.decide_stage import policy_ref
from weighbridge.release.desk import Desk
from weighbridge.storage.database import Session, in_transaction, load_queries

QUERIES = load_queries("weighbridge.release")


async def sign_approval(desk: Desk, order: ApprovalOrder) -> None:
    """Keeps the signed approval. Run again, it adds nothing.

    Raises:
        as ``check_approval``: what was true when the person asked may not be any more.
    """
    case = await read_case(desk.db, order.release_id)
    if not await check_approval(desk.db, case, order):
        return
    account = await get_account(desk.db, order.account_id)
    roles = [role.value for role in await roles_on_repo(desk.db, account.id, case.repo)]
    now_ms = desk.clock()
    key_statement, approval = _sign(desk, case, account, order, roles=roles, now_ms=now_ms)

    async def work(tx: Session) -> None:
        fresh = await read_case(tx, order.release_id)
        if not await check_approval(tx, fresh, order):
            return
        await put_statement(tx, case, Kind.ACCOUNT_KEY, key_statement, who=account.id, now_ms=now_ms)
        await put_statement(tx, case, Kind.APPROVAL, approval, who=account.id, now_ms=now_ms)
        await tx.run(
            QUERIES["insert_approval"], release_id=case.id, account_id=account.id, verdict=order.verdict,
            reason=order.reason, statement_id=approval.id, now_ms=now_ms,
        )  # fmt: skip
        await tx.run(QUERIES["touch_release"], id=case.id, now_ms=now_ms)
        await append_event(
            tx, f"release:{order.verdict}", actor_id=account.id, repo_id=case.repo.id, release_id=case.id,
            now_ms=now_ms, detail={"statement": approval.id, "digest": order.digest},
        )  # fmt: skip

    await in_transaction(desk.db, work)


def _sign(
    desk: Desk, case: Case, account: Account, order: ApprovalOrder, *, roles: list[str], now_ms: int
) -> tuple[Envelope, Envelope]:
    key = load_or_create_p256(desk.account_keys / f"{account.id}.pem")
    key_statement = predicates.account_key(
        case.subject, account=account.uri, public_key_pem=public_pem(key), roles=roles, valid_from=rfc3339(now_ms)
    )
    approval = predicates.approval(
        case.subject,
        verdict=order.verdict,
        transition=case.transition,
        policy=policy_ref(case),
        account=account.uri,
        roles=roles,
        reason_digest=reason_digest(order.reason, salt=derive_salt(key, purpose=f"reason:{case.row['digest']}")),
        approved_on=rfc3339(now_ms),
    )
    return sign_statement(key_statement, desk.release_key), sign_statement(approval, key)
