"""The transition: one database transaction that checks again, and then opens the release.

Checked again: the policy's text, each approver's account and role, the findings, the release digest. Everything the
decision stood on may have changed while it was signed and logged; what changed refuses the release.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from weighbridge.accounts import Account, Role, get_account, roles_on_repo
from weighbridge.errors import Refused
from weighbridge.evidence.envelope import Envelope, read_envelope
from weighbridge.evidence.statement import Kind
from weighbridge.evidence.sums import release_digest, sha256sums
from weighbridge.hub.commit import NewFile, create_release_commit
from weighbridge.oversight.event import append_event
from weighbridge.release.case import Case, need_statement, read_case
from weighbridge.release.names import ReleaseState, Verdict
from weighbridge.release.policies import policy_stands
from weighbridge.storage.database import Session, load_queries

QUERIES = load_queries("weighbridge.release")


async def open_release(tx: Session, release_id: str, extra: Sequence[NewFile], *, hub_policy: str, now_ms: int) -> str:
    """Id of the release commit that readers see from now on. Run again, it is the same and nothing is added.

    Args:
        tx: the transaction.
        release_id: which.
        extra: the files of the proof, whose bytes are stored.
        hub_policy: the hub's default policy.
        now_ms: time of the commit and of the dials' turn.

    Raises:
        Refused: something that the decision stood on does not hold any more.
    """
    case = await read_case(tx, release_id)
    if case.row["state"] == ReleaseState.RELEASED:
        return case.row["commit_oid"]
    decision = await need_statement(tx, case.id, Kind.DECISION)
    await _check_again(tx, case, decision, hub_policy=hub_policy)
    effective_ms = max(now_ms, await _last_logged_ms(tx))
    commit = await create_release_commit(
        tx,
        case.repo,
        case.row["candidate_oid"],
        list(extra),
        number=case.row["number"],
        author=case.author,
        now_ms=effective_ms,
    )
    await tx.run(
        QUERIES["insert_dial_change"],
        release_id=case.id,
        position=1,
        weights_from=case.row["weights"],
        weights_to=case.row["weights_wanted"],
        inference_from=case.row["inference"],
        inference_to=case.row["inference_wanted"],
        decision_id=decision.id,
        actor_id=case.row["author_id"],
        now_ms=effective_ms,
    )
    if await tx.run(QUERIES["open_release"], id=case.id, commit_oid=commit.oid, now_ms=effective_ms) != 1:
        raise Refused(f"could not open release {case.row['number']}: it is {case.row['state']}")
    await append_event(
        tx, "release:open", actor_id=case.row["author_id"], repo_id=case.repo.id, release_id=case.id,
        now_ms=effective_ms,
        detail={"commit": commit.oid, "weights": case.row["weights_wanted"], "inference": case.row["inference_wanted"]},
    )  # fmt: skip
    return commit.oid


async def _check_again(tx: Session, case: Case, decision: Envelope, *, hub_policy: str) -> None:
    problems: list[str] = []
    if hashlib.sha256(case.row["policy_text"].encode()).hexdigest() != case.row["policy_sha256"]:
        problems.append("the policy's text changed")
    elif not await policy_stands(tx, case.repo, case.row["policy_text"], hub_policy=hub_policy):
        problems.append("the repo's policy has become stricter than the one that decided")
    if release_digest(sha256sums(case.pairs)) != case.row["digest"]:
        problems.append("the candidate does not have the release digest any more")
    if await tx.all(QUERIES["blocking_findings"], release_id=case.id):
        problems.append("there is a blocking finding")
    if case.repo.deleted_ms is not None:
        problems.append("the repo was deleted")
    problems += await _approvers_gone(tx, case, decision)
    if problems:
        raise Refused(
            f"could not open release {case.row['number']} of {case.repo.full_name}: since the decision,"
            f" {'; '.join(problems)}",
            missing=tuple(problems),
            hint="Put it forward again.",
        )


async def _approvers_gone(tx: Session, case: Case, decision: Envelope) -> list[str]:
    """Which approvals that the decision counted do not stand any more."""
    predicate = read_envelope(decision.text).statement["predicate"]
    counted = {one["digest"]["sha256"] for one in predicate["inputAttestations"]}
    problems: list[str] = []
    for row in await tx.all(QUERIES["approvals_of_release"], release_id=case.id):
        if row["verdict"] == Verdict.REJECT:
            if await _is_reviewer(tx, case, await get_account(tx, row["account_id"])):
                problems.append(f"{row['name']} rejected it")
        elif row["statement_id"] in counted:
            account = await get_account(tx, row["account_id"])
            if not await _is_reviewer(tx, case, account):
                problems.append(f"{account.name}, who approved it, is no reviewer any more")
    return problems


async def _is_reviewer(tx: Session, case: Case, account: Account) -> bool:
    return account.disabled_ms is None and Role.REVIEWER in await roles_on_repo(tx, account.id, case.repo)


async def _last_logged_ms(tx: Session) -> int:
    row = await tx.one(QUERIES["last_logged"])
    return row["appended_ms"] if row and row["appended_ms"] else 0
