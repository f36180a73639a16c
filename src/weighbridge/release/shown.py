"""The shape of a release on the wire (docs/format.md section 9), one struct a part. Imports nothing of the hub's own
rooms but the words, so that the command line reads answers with the same structs.
"""

from __future__ import annotations

from msgspec import Struct

from weighbridge.release.names import ReleaseState


class PolicyView(Struct, frozen=True, kw_only=True):
    """The policy that decides."""

    name: str
    sha256: str


class Dials(Struct, frozen=True, kw_only=True):
    """The two dials."""

    weights: str
    inference: str


class StageView(Struct, frozen=True, kw_only=True):
    """One stage: how far it is, and its one line of outcome. Times to the millisecond."""

    name: str
    state: str
    started_at: str
    ended_at: str | None
    done_bytes: int
    total_bytes: int
    summary: str
    reasons: list[str]


class FindingView(Struct, frozen=True, kw_only=True):
    """One finding of the inspection."""

    rule: str
    severity: str
    file: str
    at_byte: int | None
    title: str
    reason: str
    remedy: str
    reference: str


class RuleView(Struct, frozen=True, kw_only=True):
    """The verdict of one rule of the policy."""

    id: str
    title: str
    why: str
    severity: str
    passed: bool
    remedy: str
    detail: str


class MissingView(Struct, frozen=True, kw_only=True):
    """A rule that is not met, and what would mend it."""

    rule: str
    title: str
    remedy: str


class ApprovalView(Struct, frozen=True, kw_only=True):
    """What one person said. ``reason`` is None for who may not read it."""

    account: str
    verdict: str
    reason: str | None
    created_at: str


class StatementView(Struct, frozen=True, kw_only=True):
    """A signed statement, by the sha256 of its envelope."""

    id: str
    kind: str


class LogView(Struct, frozen=True, kw_only=True):
    """Where the intent is in the transparency log."""

    position: int
    origin: str


class WithdrawalView(Struct, frozen=True, kw_only=True):
    """Why the release is gone."""

    advisory: str
    reason: str
    withdrawn_at: str


class ReleaseView(Struct, frozen=True, kw_only=True):
    """A release, as its reader may see it."""

    repo: str
    type: str
    number: int
    digest: str
    candidate: str
    commit: str | None
    author: str
    policy: PolicyView
    wanted: Dials
    current: Dials
    state: ReleaseState
    problem: str
    created_at: str
    updated_at: str
    stages: list[StageView]
    findings: list[FindingView]
    rules: list[RuleView]
    missing: list[MissingView]
    approvals: list[ApprovalView]
    statements: list[StatementView]
    log: LogView | None
    withdrawal: WithdrawalView | None
    url: str
