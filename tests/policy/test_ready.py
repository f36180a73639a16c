"""The ready policies come to what the cases beside them say."""

from __future__ import annotations

from collections.abc import AsyncIterator
from importlib import resources
from typing import Any

import pytest
import yaml

from tests.policy.made import facts_with
from weighbridge.errors import NotFound
from weighbridge.policy import READY, Judge, check_policy, decide, load_policy, ready_policy, stricter


def cases() -> list[Any]:
    found: list[Any] = []
    for name in READY:
        text = (resources.files("weighbridge.policy") / "ready" / f"{name}.cases.yaml").read_text()
        whole = yaml.safe_load(text)
        found += [pytest.param(name, whole["facts"], case, id=f"{name}: {case['name']}") for case in whole["cases"]]
    return found


@pytest.fixture
async def judge() -> AsyncIterator[Judge]:
    async with Judge() as one:
        yield one


@pytest.mark.parametrize(("name", "facts", "case"), cases())
async def test_case(name: str, facts: dict[str, Any], case: dict[str, Any], judge: Judge):
    decision = await decide(load_policy(ready_policy(name)), facts_with(case["given"], facts), judge=judge)
    unmet = [rule.id for rule in decision.rules if not rule.passed]
    assert {"passed": decision.passed, "waits": decision.waits, "unmet": unmet} == case["expect"]


@pytest.mark.parametrize("name", READY)
async def test_conditions_compile_and_read_known_facts(name: str, judge: Judge):
    await check_policy(load_policy(ready_policy(name)), judge=judge)


def test_no_such_policy():
    with pytest.raises(NotFound, match="could not find policy"):
        ready_policy("../secrets")


def test_responsible_is_stricter_than_open():
    stricter(load_policy(ready_policy("open")), load_policy(ready_policy("responsible")))
