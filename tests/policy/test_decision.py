"""Verdicts: their words, what waits, and that everything that goes wrong means no."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest

from tests.policy.made import FACTS, facts_with, policy_of, policy_text
from weighbridge.errors import InvalidInput
from weighbridge.policy import (
    Judge,
    RuleVerdict,
    check_policy,
    decide,
    decide_sync,
    load_policy,
    ready_policy,
)
from weighbridge.policy.judge import MAX_BREAKDOWNS

_MANY = str(list(range(60)))
LOOP = f"{_MANY}.map(a, {_MANY}.map(b, {_MANY}.map(c, {_MANY}.map(d, a * b * c * d)))).size() == 60"


@pytest.fixture
async def judge() -> AsyncIterator[Judge]:
    async with Judge() as one:
        yield one


async def verdict_of(condition: str, judge: Judge, **changes: object) -> RuleVerdict:
    changed = facts_with({path.replace("__", "."): value for path, value in changes.items()})
    return (await decide(policy_of(condition), changed, judge=judge)).rules[0]


@pytest.mark.parametrize(
    ("condition", "passed", "detail"),
    [
        ("approvals.approved >= 2", False, "0 of 2 approvals"),
        ("inspection.block == 0", True, "blocking findings: 0"),
        ("documents.bom && documents.card.present", True, "AI-BOM: yes; model card: yes"),
        ('documents.card.license == "apache-2.0"', False, "licence: mit"),
        ('documents.card["license"] == "mit"', True, "licence: mit"),
        ('inspection.formats.all(f, f == "gguf")', False, "formats: safetensors"),
        ("inspection.formats.size() == 1", True, "formats: safetensors"),
        ("size(approvals.by) == 0", True, "approved by: none"),
        ("false", False, "the condition is false"),
    ],
)
async def test_words(condition: str, passed: bool, detail: str, judge: Judge):
    verdict = await verdict_of(condition, judge)
    assert (verdict.passed, verdict.detail) == (passed, detail)


@pytest.mark.parametrize(
    ("condition", "detail"),
    [
        ("inspection.secrets == 0", "fact missing: inspection.secrets"),
        ("inspection.secrets == 0 || true", "fact missing: inspection.secrets"),
        ("true || inspection.secrets == 0", "fact missing: inspection.secrets"),
        ("evaluation.score > 1.0 || true", "fact missing: evaluation.score"),
        ('documents.card["language"] != "x" || true', "fact missing: documents.card.language"),
        ("evaluation", "fact missing: evaluation"),
        ("inspection.formats.all(f, f == evaluation.best) || true", "fact missing: evaluation.best"),
        ("inspection.block", "the condition is not true or false but int"),
        ("inspection.block == ", "Failed to parse"),
        ("inspection.block.size() == 0", ""),
        ("documents.card.license > 3", ""),
        ("nonsense(1)", ""),
        ("1/0 == 1", ""),
    ],
)
async def test_what_cannot_be_evaluated_is_not_passed(condition: str, detail: str, judge: Judge):
    verdict = await verdict_of(condition, judge)
    assert not verdict.passed
    assert verdict.detail.startswith(detail)
    assert verdict.detail


async def test_a_null_fact_is_missing(judge: Judge):
    facts = facts_with({})
    facts["inspection"]["block"] = None
    verdict = (await decide(policy_of("inspection.block == null"), facts, judge=judge)).rules[0]
    assert (verdict.passed, verdict.detail) == (False, "fact missing: inspection.block")


async def test_has_lets_a_fact_be_absent(judge: Judge):
    assert (await verdict_of("!has(documents.card.tags) || documents.card.tags.size() > 0", judge)).passed


@pytest.mark.parametrize(
    ("condition", "waits"),
    [
        ("approvals.approved >= 2", True),
        ("approvals.by.size() >= 1", True),
        ("approvals.approved >= 2 && inspection.block == 0", True),
        ("approvals.approved >= 2 && inspection.block > 0", False),
        ("approvals.rejected > 0", False),
        ("inspection.block > 0", False),
        ("approvals.approved > 5000", False),
    ],
)
async def test_waits_only_for_what_approvals_can_give(condition: str, waits: bool, judge: Judge):
    verdict = await verdict_of(condition, judge)
    assert (verdict.passed, verdict.waits_for_approval) == (False, waits)


async def test_a_met_rule_waits_for_nothing(judge: Judge):
    assert not (await verdict_of("approvals.approved >= 0", judge)).waits_for_approval


async def test_a_warning_never_blocks(judge: Judge):
    policy = load_policy(policy_text({"require": "false", "severity": "warn"}))
    decision = await decide(policy, FACTS, judge=judge)
    assert decision.passed
    assert not decision.rules[0].passed
    assert decision.missing == ()


async def test_when(judge: Judge):
    rules = (
        {"id": "off", "when": 'release.type == "dataset"', "require": "false"},
        {"id": "on", "when": 'release.type == "model"', "require": "false"},
        {"id": "unknown", "when": "evaluation.done", "require": "true"},
        {"id": "broken", "when": "release.type", "require": "true"},
    )
    decision = await decide(load_policy(policy_text(*rules)), FACTS, judge=judge)
    seen = {rule.id: (rule.applies, rule.passed, rule.detail) for rule in decision.rules}
    assert seen["off"] == (False, True, 'does not apply: not when: release.type == "dataset"')
    assert seen["on"] == (True, False, "the condition is false")
    assert seen["unknown"] == (True, False, "fact missing: evaluation.done")
    assert seen["broken"][:2] == (True, False)


@pytest.mark.parametrize(
    ("applies_to", "before", "after", "applies"),
    [
        ({"dial": "weights", "to": ["public"]}, "none", "public", True),
        ({"dial": "weights", "to": ["public"]}, "gated", "public", True),
        ({"dial": "weights", "to": ["public"]}, "none", "gated", False),
        ({"dial": "weights", "to": ["gated", "public"]}, "public", "gated", False),
        ({"dial": "weights", "to": ["public"]}, "public", "public", False),
        ({"dial": "inference", "to": ["public"]}, "none", "public", False),
        ({"dial": "any", "to": ["public"]}, "none", "public", True),
        ({"dial": "any", "to": ["public"]}, "none", "internal", False),
        ({"dial": "weights"}, "none", "internal", True),
        ({"dial": "weights", "to": ["public"]}, "none", "everyone", True),
        ({"dial": "weights", "to": ["public"]}, None, "public", True),
    ],
)
async def test_applies_to(applies_to: object, before: object, after: object, applies: bool, judge: Judge):
    policy = load_policy(policy_text({"require": "false", "applies_to": applies_to}))
    facts = facts_with({"transition.weights.from": before, "transition.weights.to": after})
    verdict = (await decide(policy, facts, judge=judge)).rules[0]
    assert (verdict.applies, verdict.passed) == (applies, not applies)


async def test_a_rule_that_loops_is_not_passed_and_the_next_is_judged(judge: Judge):
    decision = await decide(policy_of("true", LOOP, "inspection.block == 0"), FACTS, judge=judge)
    assert [rule.passed for rule in decision.rules] == [True, False, True]
    assert "could not be evaluated" in decision.rules[1].detail


async def test_a_rule_that_fills_the_memory_is_not_passed(judge: Judge):
    longer = "+".join(["s"] * 100)
    grower = f"['{'x' * 100}']" + f".map(s, {longer})" * 4 + ".size() == 1"  # ten gigabytes
    decision = await decide(policy_of(grower, "inspection.block == 0"), FACTS, judge=judge)
    assert [rule.passed for rule in decision.rules] == [False, True]
    assert "could not be evaluated: could not finish cel: the sandboxed process" in decision.rules[0].detail


async def test_many_rules_that_break_the_judge_end_early(judge: Judge):
    decision = await decide(policy_of(*[LOOP] * (MAX_BREAKDOWNS + 2)), FACTS, judge=judge)
    assert not any(rule.passed for rule in decision.rules)
    assert [rule.detail.startswith("not evaluated") for rule in decision.rules] == [False] * MAX_BREAKDOWNS + [True] * 2


async def test_tasks_share_a_judge(judge: Judge):
    policy = load_policy(ready_policy("responsible"))
    approved = [facts_with({"approvals.approved": count}) for count in range(4)]
    decisions = await asyncio.gather(*(decide(policy, facts, judge=judge) for facts in approved))
    two = [next(rule for rule in decision.rules if rule.id == "two-approvals") for decision in decisions]
    assert [rule.detail for rule in two] == [f"{count} of 2 approvals" for count in range(4)]
    assert [rule.passed for rule in two] == [False, False, True, True]


def test_decide_sync_gives_the_same():
    policy = load_policy(ready_policy("responsible"))
    assert decide_sync(policy, FACTS) == asyncio.run(decide(policy, FACTS))
    assert decide_sync(policy, FACTS).policy_sha256 == policy.sha256


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        ("inspection.blok == 0", "no such fact: inspection.blok"),
        ("evaluation.score > 1", "no such fact: evaluation.score"),
        ("inspection.block ==", "Failed to parse"),
    ],
)
async def test_check_policy_refuses(condition: str, reason: str, judge: Judge):
    with pytest.raises(InvalidInput, match=reason):
        await check_policy(policy_of("true", condition), judge=judge)


async def test_check_policy_accepts_any_key_of_the_card(judge: Judge):
    await check_policy(policy_of('documents.card.language == "en" || has(inspection.block)'), judge=judge)


async def test_a_judge_whose_process_is_gone_starts_another(judge: Judge):
    policy = policy_of("inspection.block == 0")
    assert (await decide(policy, FACTS, judge=judge)).passed
    os.kill(judge._cell._process.pid, signal.SIGKILL)
    assert (await decide(policy, FACTS, judge=judge)).passed


@pytest.mark.parametrize("value", [object(), "\ud800"])
async def test_facts_that_are_no_json_pass_nothing(value: object, judge: Judge):
    decision = await decide(policy_of("inspection.block == 0"), facts_with({"documents.card.x": value}), judge=judge)
    assert not decision.passed
    assert "could not write the facts" in decision.rules[0].detail
