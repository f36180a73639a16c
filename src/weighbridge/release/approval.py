"""Approvals: one person's signed yes or no to one transition of one release digest.

The web side checks who asks (``check_approval``); the worker checks again and signs with that account's own key, which
it makes, and vouches for, the first time.
"""

from __future__ import annotations

from msgspec import Struct

from weighbridge.accounts import Role, get_account, roles_on_repo
from weighbridge.errors import Conflict, InvalidInput, NotAllowed, PreconditionFailed
from weighbridge.evidence.statement import Kind
from weighbridge.release.case import Case, find_statement
from weighbridge.release.names import ReleaseState, Verdict
from weighbridge.storage.database import Session, load_queries

QUERIES = load_queries("weighbridge.release")
MAX_REASON_CHARS = 10_000


class ApprovalOrder(Struct, frozen=True, kw_only=True):
    """What one person said, about exactly what they saw."""

    release_id: str
    account_id: str
    verdict: str
    reason: str
    digest: str
    weights: str
    inference: str


async def check_approval(session: Session, case: Case, order: ApprovalOrder) -> bool:
    """True when this can be signed, False when the same was said before.

    Raises:
        PreconditionFailed: digest or dials are not those of the release.
        NotAllowed: the account is no reviewer, disabled, or approves what it made.
        Conflict: the release is decided already, or this person said the opposite before.
        InvalidInput: no such verdict, or no reason for a no.
    """
    _check_words(order)
    _check_same(case, order)
    account = await get_account(session, order.account_id)
    which = f"could not {order.verdict} release {case.row['number']} of {case.repo.full_name}"
    if account.disabled_ms is not None or Role.REVIEWER not in await roles_on_repo(session, account.id, case.repo):
        raise NotAllowed(
            f"{which}: {account.name} is no reviewer",
            hint="An admin of the organisation can give the role 'reviewer'.",
        )
    if order.verdict == Verdict.APPROVE and account.id in case.authors:
        raise NotAllowed(
            f"{which}: {account.name} is its author, or pushed a file of it",
            hint="Ask somebody else: the approval of who put it forward, or pushed a file of it, does not count.",
        )
    said = await session.one(QUERIES["approval_by_account"], release_id=case.id, account_id=account.id)
    if said is not None:
        if said["verdict"] == order.verdict:
            return False
        raise Conflict(f"{which}: {account.name} said '{said['verdict']}' already")
    if await find_statement(session, case.id, Kind.DECISION) is not None or case.row["state"] not in (
        ReleaseState.RUNNING,
        ReleaseState.WAITING,
    ):
        raise Conflict(f"{which}: it is decided already")
    return True


def _check_words(order: ApprovalOrder) -> None:
    if order.verdict not in (Verdict.APPROVE, Verdict.REJECT):
        raise InvalidInput(f"could not take verdict {order.verdict[:40]!r}: it is 'approve' or 'reject'")
    if order.verdict == Verdict.REJECT and not order.reason.strip():
        raise InvalidInput("could not reject without a reason", hint="Say why with --reason.")
    if len(order.reason) > MAX_REASON_CHARS:
        raise InvalidInput(f"could not take a reason of {len(order.reason)} characters: at most {MAX_REASON_CHARS}")


def _check_same(case: Case, order: ApprovalOrder) -> None:
    row = case.row
    if order.digest != row["digest"]:
        raise PreconditionFailed(
            f"could not {order.verdict} release {row['number']}: its digest is {row['digest']},"
            f" not {order.digest[:64]}",
            hint="Look at the release again: it is not the one that you read.",
        )
    if (order.weights, order.inference) != (row["weights_wanted"], row["inference_wanted"]):
        raise PreconditionFailed(
            f"could not {order.verdict} release {row['number']}: it asks for weights {row['weights_wanted']} and"
            f" inference {row['inference_wanted']}, not {order.weights[:20]} and {order.inference[:20]}",
            hint="Look at the release again: it is not the one that you read.",
        )
