"""The gate: what the policy says now, with the approvals there are now.

    standing = await weigh(desk, case)
    standing.verdict            # Gate.OPEN, WAITS or SHUT

Approvals count only while their account is enabled and holds the role reviewer; the others are left out of the inputs,
so that who takes the facts anew from the enclosed statements comes to the same.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec
from msgspec import Struct

from weighbridge.accounts import Role, roles_on_repo
from weighbridge.evidence.envelope import Envelope, read_envelope
from weighbridge.evidence.facts import policy_facts
from weighbridge.evidence.statement import Kind
from weighbridge.policy import Decision, RuleVerdict, decide, load_policy
from weighbridge.release.case import Case, need_statement
from weighbridge.release.desk import Desk
from weighbridge.release.names import Verdict
from weighbridge.storage.database import Row, Session, load_queries

QUERIES = load_queries("weighbridge.release")


class Gate(StrEnum):
    """Where the gate stands."""

    OPEN = "open"
    WAITS = "waits"
    SHUT = "shut"


class Standing(Struct, frozen=True, kw_only=True):
    """The policy's verdict, and all that it was taken from."""

    decision: Decision
    facts: dict[str, Any]
    inputs: list[Envelope]
    rejections: list[Row]

    @property
    def gate(self) -> Gate:
        """Open, waiting for approvals, or shut for good."""
        if self.rejections:
            return Gate.SHUT
        if self.decision.passed:
            return Gate.OPEN
        return Gate.WAITS if self.decision.waits else Gate.SHUT

    @property
    def missing(self) -> list[str]:
        """Each rule that is not met, in words, and what to do."""
        return [in_words(rule) for rule in self.decision.missing]


async def weigh(desk: Desk, case: Case) -> Standing:
    """The policy's verdict on this release with the evidence and approvals that it has now."""
    inspection = await need_statement(desk.db, case.id, Kind.INSPECTION)
    documents = await need_statement(desk.db, case.id, Kind.DOCUMENTS)
    inputs = [inspection, documents]
    approvals: list[Envelope] = []
    rejections: list[Row] = []
    for row in await standing_approvals(desk.db, case):
        key = await need_statement(desk.db, case.id, Kind.ACCOUNT_KEY, who=row["account_id"])
        approval = await need_statement(desk.db, case.id, Kind.APPROVAL, who=row["account_id"])
        inputs += [key, approval]
        approvals.append(approval)
        if row["verdict"] == Verdict.REJECT:
            rejections.append(row)
    facts = policy_facts(
        inspection=read_envelope(inspection.text).statement,
        documents=read_envelope(documents.text).statement,
        approvals=[read_envelope(approval.text).statement for approval in approvals],
        transition=case.transition,
    )
    decision = await decide(load_policy(case.row["policy_text"]), facts, judge=desk.judge)
    return Standing(decision=decision, facts=facts, inputs=inputs, rejections=rejections)


async def standing_approvals(session: Session, case: Case) -> list[Row]:
    """Approvals and rejections, in order, of accounts that are enabled reviewers now; no author's approval."""
    rows = await session.all(QUERIES["approvals_of_release"], release_id=case.id)
    return [row for row in rows if await _stands(session, case, row)]


def rules_json(decision: Decision) -> str:
    """The verdict of each rule, as the preview keeps it."""
    return msgspec.json.encode(decision.rules).decode()


def in_words(rule: RuleVerdict) -> str:
    """One rule that is not met, in words."""
    detail = f" ({rule.detail})" if rule.detail else ""
    return f"{rule.title}{detail}. {rule.remedy}".strip()


async def _stands(session: Session, case: Case, row: Row) -> bool:
    if row["disabled_ms"] is not None:
        return False
    if row["verdict"] == Verdict.APPROVE and row["account_id"] in case.authors:
        return False
    return Role.REVIEWER in await roles_on_repo(session, row["account_id"], case.repo)
