from __future__ import annotations

from typing import Any

import pytest

from tests.evidence.made import AUTHOR, NOW_MS, REVIEWERS, Made, inspection_of
from weighbridge.errors import InvalidInput
from weighbridge.evidence.facts import policy_facts
from weighbridge.evidence.predicates import PolicyRef, approval, documents, inspection, reason_digest
from weighbridge.evidence.statement import Kind, Subject, kind_of, read_transition, subject_of, transition_of
from weighbridge.evidence.times import parse_rfc3339, rfc3339

SUBJECT = Subject(repo="acme/tiny", digest="ab" * 32)
TRANSITION = transition_of("internal", "public", "none", "gated")


def _inspection(**change: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "result": "WARNED", "rules_sha256": "cd" * 32, "passed": [], "warned": ["x"], "failed": [],
        "findings": [{"severity": "warn"}, {"severity": "note"}, {"severity": "warn"}], "files": 3, "size_bytes": 99,
        "facts": {"formats": ["safetensors", "json"]},
    }  # fmt: skip
    return inspection(SUBJECT, **(values | change))


def _documents(**release: Any) -> dict[str, Any]:
    return documents(
        SUBJECT, attester="https://hub.test", references=[], release={"author": AUTHOR, "type": "model"} | release,
        documents={"sums": True, "bom": True, "card": {"present": False, "license": ""}},
    )  # fmt: skip


def _approval(account: str, verdict: str = "approve") -> dict[str, Any]:
    return approval(
        SUBJECT, verdict=verdict, transition=TRANSITION, policy=PolicyRef(name="p", sha256="0" * 64), account=account,
        roles=["reviewer"], reason_digest=reason_digest("", salt=b""), approved_on=rfc3339(NOW_MS),
    )  # fmt: skip


def _facts(*approvals: dict[str, Any], seen: Any = None, written: Any = None) -> dict[str, Any]:
    return policy_facts(
        inspection=seen or _inspection(), documents=written or _documents(), approvals=approvals, transition=TRANSITION
    )


def test_the_facts_are_the_whole_input_of_a_policy() -> None:
    assert _facts() == {
        "release": {"digest": "ab" * 32, "files": 3, "size_bytes": 99, "author": AUTHOR, "type": "model"},
        "transition": {"weights": {"from": "internal", "to": "public"}, "inference": {"from": "none", "to": "gated"}},
        "inspection": {"result": "WARNED", "block": 0, "warn": 2, "note": 1, "formats": ["json", "safetensors"]},
        "documents": {"sums": True, "bom": True, "card": {"present": False, "license": ""}},
        "approvals": {"approved": 0, "rejected": 0, "by": [], "includes_author": False},
    }


def test_the_author_is_seen_and_not_counted() -> None:
    found = _facts(_approval(REVIEWERS[1]), _approval(AUTHOR), _approval(REVIEWERS[0], "reject"))["approvals"]
    assert found == {"approved": 1, "rejected": 1, "by": sorted([AUTHOR, REVIEWERS[1]]), "includes_author": True}


def test_who_pushed_a_part_is_an_author_too() -> None:
    found = _facts(_approval(REVIEWERS[0]), written=_documents(authors=[AUTHOR, REVIEWERS[0]]))["approvals"]
    assert (found["approved"], found["includes_author"]) == (0, True)


def test_one_account_speaks_once() -> None:
    with pytest.raises(InvalidInput, match="more than once"):
        _facts(_approval(REVIEWERS[0]), _approval(REVIEWERS[0], "reject"))


def test_formats_that_nobody_measured_are_absent_so_that_rules_on_them_fail() -> None:
    assert "formats" not in _facts(seen=_inspection(facts={}))["inspection"]


def test_the_documents_cannot_say_another_digest_or_size() -> None:
    assert _facts(written=_documents(digest="00", files=1, size_bytes=1))["release"]["digest"] == "ab" * 32


@pytest.mark.parametrize(
    "seen",
    [
        _inspection(findings=[{}]),
        _inspection(findings=[{"severity": 1}]),
        _inspection(facts={"formats": "json"}),
        {"predicate": {}},
        {},
    ],
)
def test_evidence_that_lacks_something_is_refused(seen: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        _facts(seen=seen or {"predicate": None})


def test_builders_refuse_words_that_no_reader_knows() -> None:
    with pytest.raises(InvalidInput, match="'OK' is not one of"):
        _inspection(result="OK")
    with pytest.raises(InvalidInput, match="'yes' is not one of"):
        _approval(AUTHOR, "yes")
    with pytest.raises(InvalidInput, match="not audiences"):
        transition_of("none", "everyone", "none", "none")
    with pytest.raises(InvalidInput, match="could not read the transition"):
        read_transition({"weights": 1})
    with pytest.raises(InvalidInput, match="no sha256"):
        inspection(
            Subject(repo="acme/tiny", digest="AB" * 32), result="PASSED", rules_sha256="", passed=[], warned=[],
            failed=[], findings=[], files=0, size_bytes=0, facts={},
        )  # fmt: skip


def test_every_kind_is_told_apart(tmp_path: Any) -> None:
    kinds = [kind_of(inspection_of(envelope)) for envelope in Made(tmp_path).statements()]
    assert kinds == [
        Kind.INSPECTION, Kind.DOCUMENTS, Kind.ACCOUNT_KEY, Kind.ACCOUNT_KEY, Kind.APPROVAL, Kind.APPROVAL,
        Kind.DECISION, Kind.INTENT,
    ]  # fmt: skip
    with pytest.raises(InvalidInput, match="unknown predicate type"):
        kind_of({"predicateType": "https://weighbridge.dev/attestation/transition/v1", "predicate": {"phase": "x"}})
    with pytest.raises(InvalidInput, match="2 subjects"):
        subject_of({"subject": [{}, {}]})


def test_times_are_written_in_one_form() -> None:
    assert rfc3339(1_764_000_000_999) == "2025-11-24T16:00:00Z"
    assert parse_rfc3339("2025-11-24T16:00:00Z") == 1_764_000_000_000
    for wrong in ("2025-11-24T16:00:00+00:00", "2025-11-24", "2025-1-24T16:00:00Z", "", "2025-13-24T16:00:00Z"):
        with pytest.raises(InvalidInput):
            parse_rfc3339(wrong)
