"""The decision on a release: a preview while approvals are missing, and the signed one once the gate is open."""

from __future__ import annotations

from typing import Any

import msgspec

from weighbridge.evidence import predicates
from weighbridge.evidence.envelope import Envelope, sign_statement
from weighbridge.evidence.predicates import PolicyRef
from weighbridge.evidence.statement import Kind
from weighbridge.evidence.times import rfc3339
from weighbridge.oversight.event import append_event
from weighbridge.release import stages
from weighbridge.release.case import Case, find_statement, put_statement, read_case
from weighbridge.release.desk import Desk
from weighbridge.release.gate import Gate, Standing, rules_json, weigh
from weighbridge.release.names import ReleaseState, Stage, StageState
from weighbridge.storage.database import load_queries

QUERIES = load_queries("weighbridge.release")


async def decide_release(desk: Desk, release_id: str) -> str:
    """Where the gate stands now: ``open``, ``waits`` or ``shut``; what is missing is shown with the release."""
    case = await read_case(desk.db, release_id)
    if await find_statement(desk.db, case.id, Kind.INTENT) is not None:
        return Gate.OPEN.value
    standing = await weigh(desk, case)
    await _keep_preview(desk, case, standing)
    await _show_decision(desk, case, standing)
    if standing.gate is Gate.WAITS:
        await _show_waiting(desk, case, standing)
    return standing.gate.value


async def sign_release(desk: Desk, release_id: str) -> str:
    """Where the gate stands: ``open`` once decision and intent are signed, else nothing was signed."""
    case = await read_case(desk.db, release_id)
    if await find_statement(desk.db, case.id, Kind.INTENT) is not None:
        return Gate.OPEN.value
    standing = await weigh(desk, case)
    if standing.gate is not Gate.OPEN:
        return standing.gate.value
    now_ms = desk.clock()
    people = standing.facts["approvals"]["approved"]
    asked = f"{stages.count(people, 'approval')}" if people else "no approval asked for"
    await stages.begin(desk.db, case.id, Stage.APPROVE, now_ms=now_ms)
    await stages.end(desk.db, case.id, Stage.APPROVE, asked, now_ms=now_ms)
    await stages.begin(desk.db, case.id, Stage.SIGN, now_ms=now_ms)
    decision = sign_decision(desk, case, standing, now_ms=now_ms)
    intent = sign_statement(
        predicates.intent(
            case.subject,
            transition=case.transition,
            decision=decision,
            inputs=standing.inputs,
            policy=policy_ref(case),
            planned_on=rfc3339(now_ms),
        ),
        desk.release_key,
    )
    async with desk.db.transaction() as tx:
        await put_statement(tx, case, Kind.DECISION, decision, now_ms=now_ms)
        await put_statement(tx, case, Kind.INTENT, intent, now_ms=now_ms)
        await append_event(
            tx, "release:decide", repo_id=case.repo.id, release_id=case.id, now_ms=now_ms,
            detail={"passed": True, "decision": decision.id},
        )  # fmt: skip
    summary = f"decision and intent signed by the hub's release key, decision {decision.id[:12]}"
    await stages.end(desk.db, case.id, Stage.SIGN, summary, now_ms=desk.clock())
    return Gate.OPEN.value


async def sign_refusal(desk: Desk, release_id: str) -> None:
    """Signs the decision that refuses this release, when there is enough evidence for one."""
    case = await read_case(desk.db, release_id)
    if await find_statement(desk.db, case.id, Kind.DOCUMENTS) is None:
        return
    if await find_statement(desk.db, case.id, Kind.DECISION) is not None:
        return
    standing = await weigh(desk, case)
    if standing.decision.passed:
        return
    now_ms = desk.clock()
    decision = sign_decision(desk, case, standing, now_ms=now_ms)
    await put_statement(desk.db, case, Kind.DECISION, decision, now_ms=now_ms)


def sign_decision(desk: Desk, case: Case, standing: Standing, *, now_ms: int) -> Envelope:
    """The signed verdict on this standing."""
    rules: list[dict[str, Any]] = [msgspec.to_builtins(rule) for rule in standing.decision.rules]
    return sign_statement(
        predicates.decision(
            case.subject,
            verifier=desk.public_url,
            resource_uri=release_url(desk.public_url, case),
            policy=policy_ref(case),
            inputs=standing.inputs,
            facts=standing.facts,
            rules=rules,
            transition=case.transition,
            passed=standing.decision.passed,
            decided_on=rfc3339(now_ms),
        ),
        desk.release_key,
    )


def policy_ref(case: Case) -> PolicyRef:
    """The policy that decides on this release."""
    return PolicyRef(name=case.row["policy"], sha256=case.row["policy_sha256"])


def release_url(public_url: str, case: Case) -> str:
    """The release's page."""
    prefix = "/datasets" if case.repo.type == "dataset" else ""
    return f"{public_url}{prefix}/{case.repo.full_name}/releases/{case.row['number']}"


async def _keep_preview(desk: Desk, case: Case, standing: Standing) -> None:
    await desk.db.run(
        QUERIES["put_preview"], release_id=case.id, rules=rules_json(standing.decision), now_ms=desk.clock()
    )


async def _show_decision(desk: Desk, case: Case, standing: Standing) -> None:
    rules = standing.decision.rules
    passed = sum(rule.passed for rule in rules)
    summary = f"policy {case.row['policy']}: {passed} of {stages.count(len(rules), 'rule')} pass"
    missing = len(standing.decision.missing)
    if standing.gate is Gate.WAITS:
        summary += f", {missing} {'waits' if missing == 1 else 'wait'} for approval"
    now_ms = desk.clock()
    await stages.begin(desk.db, case.id, Stage.DECIDE, now_ms=now_ms)
    state = StageState.FAILED if standing.gate is Gate.SHUT else StageState.PASSED
    await stages.end(desk.db, case.id, Stage.DECIDE, summary, state=state, reasons=standing.missing, now_ms=now_ms)


async def _show_waiting(desk: Desk, case: Case, standing: Standing) -> None:
    now_ms = desk.clock()
    await stages.begin(desk.db, case.id, Stage.APPROVE, now_ms=now_ms)
    have = standing.facts["approvals"]["approved"]
    summary = f"waits: {stages.count(have, 'approval')} so far"
    await stages.hold(desk.db, case.id, Stage.APPROVE, summary, reasons=standing.missing, now_ms=now_ms)
    await desk.db.run(
        QUERIES["set_release_state"], id=case.id, state=ReleaseState.WAITING.value, problem="", now_ms=now_ms
    )
