"""The facts that a policy decides on, taken from signed statements and nothing else.

    facts = policy_facts(inspection=…, documents=…, approvals=[…], transition=transition)

The hub builds the input of each decision with this function, and ``verify`` takes it anew with the same one: so the
facts inside a decision can be compared, and a hub that decides on anything else is found out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from weighbridge.errors import InvalidInput
from weighbridge.evidence.statement import Transition, subject_of

SEVERITIES = ("block", "warn", "note")


def policy_facts(
    *,
    inspection: Mapping[str, Any],
    documents: Mapping[str, Any],
    approvals: Sequence[Mapping[str, Any]],
    transition: Transition,
) -> dict[str, Any]:
    """The whole input of the policy, as JSON values: release, transition, inspection, documents, approvals.

    Args:
        inspection: the inspection statement.
        documents: the documents statement.
        approvals: the approval statements, one an account; none yet for a preview.
        transition: what is asked for.

    Raises:
        InvalidInput: a statement lacks what it must have, or one account speaks twice.
    """
    try:
        seen = msgspec.convert(inspection["predicate"], _Inspection)
        written = msgspec.convert(documents["predicate"], _Documents)
        said = [msgspec.convert(one["predicate"], _Approval) for one in approvals]
        formats, authors = _formats(seen.facts), _authors(written.facts.release)
    except (msgspec.ValidationError, KeyError) as error:
        raise InvalidInput(f"could not take the facts from the evidence: {error}") from error
    severities = [finding.severity for finding in seen.findings]
    return {
        "release": {
            **written.facts.release,
            "digest": subject_of(dict(inspection)).digest,
            "files": seen.files,
            "size_bytes": seen.sizeBytes,
        },
        "transition": transition.as_json(),
        "inspection": {
            "result": seen.result,
            **{severity: severities.count(severity) for severity in SEVERITIES},
            **formats,
        },
        "documents": written.facts.documents,
        "approvals": _approvals(said, authors=authors),
    }


def _formats(facts: Mapping[str, Any]) -> dict[str, list[str]]:
    """The formats, sorted; nothing when the inspection does not say: rules on them then fail closed."""
    if "formats" not in facts:
        return {}
    return {"formats": sorted(msgspec.convert(facts["formats"], list[str]))}


def _authors(release: Mapping[str, Any]) -> set[str]:
    """Who put it forward, and who else pushed what is in it (``authors``, when they are not the same)."""
    return {str(release.get("author", "")), *msgspec.convert(release.get("authors", []), list[str])}


def _approvals(said: Sequence[_Approval], *, authors: set[str]) -> dict[str, Any]:
    if len({one.account for one in said}) != len(said):
        raise InvalidInput("could not count the approvals: one account speaks more than once")
    by = sorted(one.account for one in said if one.verdict == "approve")
    return {
        "approved": sum(account not in authors for account in by),
        "rejected": sum(one.verdict == "reject" for one in said),
        "by": by,
        "includes_author": not authors.isdisjoint(by),
    }


class _Finding(msgspec.Struct, frozen=True, kw_only=True):
    severity: str


class _Inspection(msgspec.Struct, frozen=True, kw_only=True):
    result: str
    findings: list[_Finding]
    files: int
    sizeBytes: int  # noqa: N815 - the predicate's own name
    facts: dict[str, Any]


class _DocumentFacts(msgspec.Struct, frozen=True, kw_only=True):
    release: dict[str, Any]
    documents: dict[str, Any]


class _Documents(msgspec.Struct, frozen=True, kw_only=True):
    facts: _DocumentFacts


class _Approval(msgspec.Struct, frozen=True, kw_only=True):
    verdict: str
    account: str
