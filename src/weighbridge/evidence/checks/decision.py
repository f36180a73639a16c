"""Who said yes, and whether the policy says yes again: approvals, decision, intent, audience."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from weighbridge.errors import InvalidInput, SandboxError
from weighbridge.evidence.bundle import POLICY
from weighbridge.evidence.canonical import canonical_json
from weighbridge.evidence.checks.case import Case, Enclosed, failed, needed, read
from weighbridge.evidence.facts import policy_facts
from weighbridge.evidence.predicates import VERDICTS
from weighbridge.evidence.statement import Transition, read_transition

REVIEWER = "reviewer"
"""The role in which people approve (accounts/role.py)."""


def check_approvals(case: Case) -> str:
    """Each approval is of exactly this digest, transition and policy, by distinct people in known roles."""
    enclosed = needed(case.enclosed, "statements")
    decided = _transition(read(enclosed.decision.predicate, _Decision, "the decision").transition)
    policy_sha256 = hashlib.sha256(case.proof(POLICY)).hexdigest()
    accounts: list[str] = []
    for signed, key in enclosed.approvals:
        approval = read(signed.predicate, _Approval, f"the approval of {key.account}")
        if approval.verdict not in VERDICTS:
            raise failed(f"the approval of {approval.account} says neither yes nor no")
        if approval.account != key.account:
            raise failed(f"the approval of {approval.account} is signed with the key of {key.account}")
        if not set(approval.roles) <= set(key.roles) or not approval.roles:
            raise failed(f"{key.account} approves in roles that the hub does not name")
        if REVIEWER not in approval.roles:
            raise failed(f"{key.account} approves in roles that give no say: {', '.join(approval.roles)}")
        if approval.policy.digest.sha256 != policy_sha256:
            raise failed(f"{key.account} approved under another policy text")
        if _transition(approval.transition) != decided:
            raise failed(f"{key.account} approved another transition")
        accounts.append(key.account)
    if len(set(accounts)) != len(accounts):
        raise failed("one account speaks more than once")
    unused = {signed.predicate["account"] for signed in enclosed.account_keys} - set(accounts)
    if unused:
        raise failed(f"the key of {sorted(unused)[0]} is enclosed, its approval is not")
    if not accounts:
        return "none enclosed; the line 'decision' says whether the policy asks for any"
    return f"{len(accounts)} by distinct accounts, each of this digest, transition and policy: {', '.join(accounts)}"


def check_decision(case: Case) -> str:
    """Sets ``case.transition``. The policy, evaluated again on facts taken anew, says the same."""
    enclosed = needed(case.enclosed, "statements")
    decision = read(enclosed.decision.predicate, _Decision, "the decision")
    text = case.text(POLICY)
    if decision.policy.digest.sha256 != hashlib.sha256(text.encode("utf-8")).hexdigest():
        raise failed(f"{POLICY} is not the policy that decided")
    _check_inputs(decision.inputAttestations, enclosed)
    if decision.verificationResult != "PASSED":
        raise failed(f"the decision says {decision.verificationResult}")
    transition = _transition(decision.transition)
    facts = _facts(enclosed, transition)
    if canonical_json(facts) != canonical_json(decision.facts):
        raise failed(f"its facts are not those of the evidence: they differ on {_difference(facts, decision.facts)}")
    try:
        again = case.decide(text, facts)
    except (InvalidInput, SandboxError) as error:
        raise failed(f"{POLICY} cannot be evaluated: {error.message}") from error
    verdicts, before = _verdicts(again.rules), _verdicts(decision.rules)
    if verdicts != before:
        other = sorted({rule[0] for rule in verdicts} ^ {rule[0] for rule in before}) or sorted(
            one[0] for one, two in zip(verdicts, before, strict=False) if one != two
        )
        raise failed(f"evaluated again, the rules say something else: {', '.join(other[:5])}")
    if not again.passed:
        raise failed("evaluated again, the policy says no")
    case.transition = transition
    name = decision.policy.name
    return f"policy {name} evaluated again on the same facts: passed, rule by rule the same ({len(verdicts)})"


def check_intent(case: Case) -> str:
    """The intent is to do what was decided, on the evidence that it was decided on."""
    enclosed = needed(case.enclosed, "statements")
    decision = read(enclosed.decision.predicate, _Decision, "the decision")
    intent = read(enclosed.intent.predicate, _Intent, "the intent")
    if intent.decision.digest.sha256 != enclosed.decision.id:
        raise failed("the intent is based on another decision")
    _check_inputs(intent.inputAttestations, enclosed)
    if intent.policy.digest.sha256 != decision.policy.digest.sha256:
        raise failed("the intent names another policy")
    if _transition(intent.transition) != _transition(decision.transition):
        raise failed("the intent is about another transition than the one decided")
    return f"planned on {intent.plannedOn}, bound to the decision and all {len(enclosed.inputs())} inputs"


def check_audience(case: Case) -> str:
    """For whom the release was decided."""
    transition = needed(case.transition, "decision")
    digest = needed(case.sealed, "digests").subject.digest
    dials = (
        f"{name} for {dial.after} (before: {dial.before})"
        for name, dial in (("weights", transition.weights), ("inference", transition.inference))
    )
    return f"decided for {', '.join(dials)}; release digest {digest}"


def _facts(enclosed: Enclosed, transition: Transition) -> dict[str, Any]:
    try:
        return policy_facts(
            inspection=enclosed.inspection.statement,
            documents=enclosed.documents.statement,
            approvals=[signed.statement for signed, _ in enclosed.approvals],
            transition=transition,
        )
    except InvalidInput as error:
        raise failed(error.message) from error


def _check_inputs(inputs: Sequence[_Resource], enclosed: Enclosed) -> None:
    named = [one.digest.sha256 for one in inputs]
    if set(named) != enclosed.inputs() or len(set(named)) != len(named):
        raise failed("the statements that it is based on are not exactly the enclosed ones")


def _transition(value: Any) -> Transition:
    try:
        return read_transition(value)
    except InvalidInput as error:
        raise failed(error.message) from error


def _verdicts(rules: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, bool]]:
    """(id, severity, passed) of each rule, in the policy's order."""
    read_rules = [read(dict(rule), _Rule, "a rule's verdict") for rule in rules]
    return [(rule.id, rule.severity, rule.passed) for rule in read_rules]


def _difference(one: Mapping[str, Any], two: Mapping[str, Any]) -> str:
    keys = sorted(key for key in one.keys() | two.keys() if one.get(key) != two.get(key))
    return ", ".join(keys) or "the type of a value"


class _Digest(msgspec.Struct, frozen=True, kw_only=True):
    sha256: str


class _Resource(msgspec.Struct, frozen=True, kw_only=True):
    digest: _Digest
    name: str = ""


class _Approval(msgspec.Struct, frozen=True, kw_only=True):
    verdict: str
    transition: Any
    policy: _Resource
    account: str
    roles: list[str]


class _Rule(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    severity: str
    passed: bool


class _Decision(msgspec.Struct, frozen=True, kw_only=True):
    policy: _Resource
    inputAttestations: list[_Resource]  # noqa: N815 - the predicate's own name
    verificationResult: str  # noqa: N815
    facts: dict[str, Any]
    rules: list[dict[str, Any]]
    transition: Any


class _Intent(msgspec.Struct, frozen=True, kw_only=True):
    transition: Any
    decision: _Resource
    inputAttestations: list[_Resource]  # noqa: N815
    policy: _Resource
    plannedOn: str  # noqa: N815
