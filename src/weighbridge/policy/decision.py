"""The verdict on one transition: every rule with its reason, computed from the facts alone, so anyone can redo it.

decision = await decide(load_policy(text), facts)
for verdict in decision.missing:
    print(verdict.title, verdict.detail, verdict.remedy)
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from weighbridge.errors import InvalidInput, SandboxError
from weighbridge.policy.condition import look_up, missing_facts, read_condition
from weighbridge.policy.facts import describe, is_known
from weighbridge.policy.judge import MAX_BREAKDOWNS, Judge, broken
from weighbridge.policy.question import Answer, Outcome
from weighbridge.policy.rules import Audience, Dial, Policy, Rule, Severity

_WIDTH = {audience.value: width for width, audience in enumerate(Audience)}


class RuleVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """One rule's verdict. ``detail`` has the observed values in words.

    ``waits_for_approval``: not passed, and it would pass if more people approved.
    """

    id: str
    title: str
    why: str
    severity: Severity
    passed: bool
    remedy: str
    detail: str
    waits_for_approval: bool = False
    applies: bool = True
    approvers: tuple[str, ...] = ()
    cites: tuple[str, ...] = ()


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """The policy's verdict. ``passed``: no blocking rule is left unmet. Rules of severity warn never block."""

    passed: bool
    rules: tuple[RuleVerdict, ...]
    policy: str = ""
    policy_sha256: str = ""

    @property
    def missing(self) -> tuple[RuleVerdict, ...]:
        """The blocking rules that are not met."""
        return tuple(rule for rule in self.rules if rule.severity is Severity.BLOCK and not rule.passed)

    @property
    def waits(self) -> bool:
        """Whether nothing but approvals is missing."""
        return not self.passed and all(rule.waits_for_approval for rule in self.missing)


async def decide(policy: Policy, facts: Mapping[str, Any], *, judge: Judge | None = None) -> Decision:
    """The decision on these facts. A rule that cannot be evaluated, for whatever reason, is not passed and says why."""
    if judge is None:
        async with Judge() as own:
            return await decide(policy, facts, judge=own)
    verdicts: list[RuleVerdict] = []
    breakdowns = 0
    for rule in policy.rules:
        if breakdowns >= MAX_BREAKDOWNS:
            verdicts.append(_verdict(rule, facts, _unmet("not evaluated: other rules of this policy broke the judge")))
            continue
        verdict, broke = await _weigh(rule, facts, judge)
        breakdowns += broke
        verdicts.append(verdict)
    passed = all(verdict.passed for verdict in verdicts if verdict.severity is Severity.BLOCK)
    return Decision(passed=passed, rules=tuple(verdicts), policy=policy.name, policy_sha256=policy.sha256)


def decide_sync(policy: Policy, facts: Mapping[str, Any]) -> Decision:
    """``decide`` for callers without an event loop, as `weighbridge verify`."""
    return asyncio.run(decide(policy, facts))


async def check_policy(policy: Policy, *, judge: Judge | None = None) -> None:
    """Refuses a policy whose conditions do not compile or read facts that nobody provides. Call it before keeping one.

    Raises:
        InvalidInput: naming the rule and the reason.
    """
    if judge is None:
        async with Judge() as own:
            return await check_policy(policy, judge=own)
    for rule in policy.rules:
        for condition in filter(None, (rule.when, rule.require)):
            unknown = [path for path in read_condition(condition).paths if not is_known(path)]
            if unknown:
                raise _invalid(policy, rule, f"no such fact: {', '.join(unknown)}")
        try:
            answer = await judge.weigh(rule, None)
        except SandboxError as error:
            raise _invalid(policy, rule, error.message) from error
        problem = answer.require.error or (answer.when.error if answer.when else "")
        if problem:
            raise _invalid(policy, rule, problem)
    return None


def _invalid(policy: Policy, rule: Rule, cause: str) -> InvalidInput:
    return InvalidInput(f"could not accept policy {policy.name}: rule {rule.id}: {cause}", hint="See docs/policies.md.")


async def _weigh(rule: Rule, facts: Mapping[str, Any], judge: Judge) -> tuple[RuleVerdict, bool]:
    """The verdict, and whether the rule broke the judge."""
    outside = _looks_away(rule, facts)
    if outside:
        return _verdict(rule, facts, _MET, not_applying=outside), False
    # With a `when`, what `require` reads may be absent where the rule does not apply: only `when` must be whole then.
    absent = _absent(rule.when or rule.require, facts)
    if absent:
        return _verdict(rule, facts, _unmet(absent)), False
    try:
        answer = await judge.weigh(rule, dict(facts))
    except SandboxError as error:
        return _verdict(rule, facts, broken(error)), True
    if answer.when is not None and answer.when.error:
        return _verdict(rule, facts, _unmet(answer.when.error)), False
    if answer.when is not None and not answer.when.value:
        return _verdict(rule, facts, _MET, not_applying=f"not when: {rule.when}"), False
    absent = _absent(rule.require, facts)
    return _verdict(rule, facts, _unmet(absent) if absent else answer), False


_MET = Answer(require=Outcome(value=True))


def _unmet(reason: str) -> Answer:
    return Answer(require=Outcome(error=reason))


def _absent(condition: str, facts: Mapping[str, Any]) -> str:
    """Which facts the condition reads and are not there, in words; empty when all are."""
    try:
        missing = missing_facts(read_condition(condition), facts)
    except InvalidInput as error:  # of a Rule built by hand; load_policy refuses it
        return error.message
    return f"fact missing: {', '.join(missing)}" if missing else ""


def _looks_away(rule: Rule, facts: Mapping[str, Any]) -> str:
    """Why the rule has nothing to say on this transition; empty when it has, and when the facts do not tell."""
    if rule.applies_to is None:
        return ""
    dials = [Dial.WEIGHTS, Dial.INFERENCE] if rule.applies_to.dial is Dial.ANY else [rule.applies_to.dial]
    for dial in dials:
        before = _WIDTH.get(str(look_up(f"transition.{dial}.from", facts)))
        after = _WIDTH.get(str(look_up(f"transition.{dial}.to", facts)))
        if before is None or after is None:
            return ""
        if after > before and any(_WIDTH[audience] == after for audience in rule.applies_to.to):
            return ""
    named = "no dial" if rule.applies_to.dial is Dial.ANY else f"the {rule.applies_to.dial} dial not"
    return f"{named} turned wider to {' or '.join(rule.applies_to.to)}"


def _verdict(rule: Rule, facts: Mapping[str, Any], answer: Answer, *, not_applying: str = "") -> RuleVerdict:
    passed = answer.require.value and not answer.require.error
    detail = f"does not apply: {not_applying}" if not_applying else answer.require.error or _observed(rule, facts)
    if not detail:
        detail = f"the condition is {'true' if passed else 'false'}"
    return RuleVerdict(
        id=rule.id,
        title=rule.title,
        why=rule.why,
        severity=rule.severity,
        passed=passed,
        remedy=rule.remedy,
        detail=detail,
        waits_for_approval=not passed and answer.with_approvals,
        applies=not not_applying,
        approvers=rule.approvers,
        cites=rule.cites,
    )


def _observed(rule: Rule, facts: Mapping[str, Any]) -> str:
    """What the rule saw, in the order in which it reads it."""
    reading = read_condition(rule.require)
    seen = [(path, look_up(path, facts)) for path in reading.paths]
    words = [describe(path, value, minimum=reading.minimums.get(path)) for path, value in seen if value is not None]
    return "; ".join(words)
