"""The facts' table, its structs and its document say the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from weighbridge.policy import (
    FACTS,
    ApprovalsFacts,
    DialFacts,
    DocumentsFacts,
    Facts,
    InspectionFacts,
    ReleaseFacts,
    TransitionFacts,
    facts_dict,
    inspection_facts,
)

WHOLE = Facts(
    release=ReleaseFacts(digest="00", files=1, size_bytes=2, author="acct:a", type="model"),
    transition=TransitionFacts(
        weights=DialFacts(from_="none", to="public"), inference=DialFacts(from_="none", to="none")
    ),
    inspection=InspectionFacts(result="PASSED", block=0, warn=0, note=0, formats=("json",)),
    documents=DocumentsFacts(sums=True, bom=True, card={"present": True, "license": "mit", "pipeline_tag": "x"}),
    approvals=ApprovalsFacts(approved=0, rejected=0, by=(), includes_author=False),
)


def leaves(value: Any, prefix: str = "") -> set[str]:
    if not isinstance(value, dict):
        return {prefix}
    return {leaf for key, item in value.items() for leaf in leaves(item, f"{prefix}.{key}" if prefix else key)}


def test_structs_make_exactly_the_table():
    assert leaves(facts_dict(WHOLE)) == {fact.path for fact in FACTS if not fact.path.endswith("*")}


def test_what_is_left_out_is_absent():
    assert leaves(facts_dict(Facts(release=ReleaseFacts(files=1)))) == {"release.files"}


def test_the_document_has_the_table():
    text = (Path(__file__).parents[2] / "docs" / "policies.md").read_text()
    for fact in FACTS:
        assert f"| `{fact.path}` | {fact.type} | {fact.meaning} |" in text


@pytest.mark.parametrize(("facts", "formats"), [({"formats": ["text", "json"]}, ["json", "text"]), ({}, None)])
def test_inspection_facts(facts: dict[str, Any], formats: list[str] | None):
    findings = [{"severity": "block"}, {"severity": "warn"}, {"severity": "warn"}]
    made = inspection_facts(result="FAILED", findings=findings, facts=facts)
    assert made.pop("formats", None) == formats
    assert made == {"result": "FAILED", "block": 1, "warn": 2, "note": 0}
