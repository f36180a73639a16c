"""The facts that a policy may ask about: one table (also the one in docs/policies.md), and the structs of them.

    facts = facts_dict(Facts(release=ReleaseFacts(digest=..., files=4), approvals=ApprovalsFacts(approved=1)))

A field that is left out is absent, and every rule that reads it is not passed: "fact missing: release.author".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType


class Fact(msgspec.Struct, frozen=True):
    """One line of the table. ``label`` is how a verdict names it in words."""

    path: str
    type: str
    label: str
    meaning: str


FACTS = (
    Fact("release.digest", "text", "release digest", "sha256 of the release's SHA256SUMS"),
    Fact("release.files", "number", "files", "files of the candidate"),
    Fact("release.size_bytes", "number", "bytes", "their bytes together"),
    Fact("release.author", "text", "author", "account URI of who put the release forward"),
    Fact("release.type", "text", "repo type", "model, dataset or space"),
    Fact("transition.weights.from", "audience", "weights before", "who may download now"),
    Fact("transition.weights.to", "audience", "weights after", "who may download afterwards"),
    Fact("transition.inference.from", "audience", "inference before", "who may use the hosted model now"),
    Fact("transition.inference.to", "audience", "inference after", "who may use the hosted model afterwards"),
    Fact("inspection.result", "text", "inspection result", "PASSED, WARNED or FAILED"),
    Fact("inspection.block", "number", "blocking findings", "findings that block"),
    Fact("inspection.warn", "number", "warnings", "findings that warn"),
    Fact("inspection.note", "number", "notes", "findings that only note"),
    Fact(
        "inspection.formats",
        "list of text",
        "formats",
        "kinds of files: safetensors, gguf, onnx, pickle, torch, json, …",
    ),
    Fact("documents.sums", "true or false", "SHA256SUMS", "the list of digests was written"),
    Fact("documents.bom", "true or false", "AI-BOM", "the CycloneDX bill of materials was written"),
    Fact("documents.card.present", "true or false", "model card", "README.md has a card"),
    Fact("documents.card.license", "text", "licence", "the card's license"),
    Fact("documents.card.pipeline_tag", "text", "task", "the card's pipeline_tag"),
    Fact("documents.card.*", "any", "", "each key of the card's front matter, such as license or pipeline_tag"),
    Fact(
        "approvals.approved", "number", "approvals", "approvals of this transition by reviewers other than the author"
    ),
    Fact("approvals.rejected", "number", "rejections", "rejections of this transition"),
    Fact("approvals.by", "list of text", "approved by", "account URIs of who approved"),
    Fact(
        "approvals.includes_author",
        "true or false",
        "author among the approvers",
        "the author approved too (not counted)",
    ),
)
ROOTS = frozenset(fact.path.split(".")[0] for fact in FACTS)
_BY_PATH = {fact.path: fact for fact in FACTS}
_OPEN_PREFIXES = tuple(fact.path[:-1] for fact in FACTS if fact.path.endswith(".*"))


class ReleaseFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is released."""

    digest: str | UnsetType = UNSET
    files: int | UnsetType = UNSET
    size_bytes: int | UnsetType = UNSET
    author: str | UnsetType = UNSET
    type: str | UnsetType = UNSET


class DialFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One dial's position before and after."""

    from_: str = msgspec.field(name="from")
    to: str


class TransitionFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for."""

    weights: DialFacts | UnsetType = UNSET
    inference: DialFacts | UnsetType = UNSET


class InspectionFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the inspection found."""

    result: str | UnsetType = UNSET
    block: int | UnsetType = UNSET
    warn: int | UnsetType = UNSET
    note: int | UnsetType = UNSET
    formats: tuple[str, ...] | UnsetType = UNSET


class DocumentsFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What was written and what the card says. ``card`` has ``present`` and the keys of the front matter."""

    sums: bool | UnsetType = UNSET
    bom: bool | UnsetType = UNSET
    card: dict[str, Any] | UnsetType = UNSET


class ApprovalsFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Who said yes or no to this transition of this digest. ``approved`` never counts the author."""

    approved: int | UnsetType = UNSET
    rejected: int | UnsetType = UNSET
    by: tuple[str, ...] | UnsetType = UNSET
    includes_author: bool | UnsetType = UNSET


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """The whole input of a decision."""

    release: ReleaseFacts = ReleaseFacts()
    transition: TransitionFacts = TransitionFacts()
    inspection: InspectionFacts = InspectionFacts()
    documents: DocumentsFacts = DocumentsFacts()
    approvals: ApprovalsFacts = ApprovalsFacts()


def facts_dict(facts: Facts) -> dict[str, Any]:
    """The facts as plain JSON values, as the decision statement keeps them."""
    return msgspec.to_builtins(facts)


def inspection_facts(*, result: str, findings: Sequence[Mapping[str, Any]], facts: Mapping[str, Any]) -> dict[str, Any]:
    """The ``inspection`` part, from a statement's plain values; the worker and ``verify`` both call this."""
    counts = {severity: sum(1 for finding in findings if finding["severity"] == severity) for severity in _SEVERITIES}
    formats = facts.get("formats")
    return {"result": result, **counts, **({} if formats is None else {"formats": sorted(formats)})}


_SEVERITIES = ("block", "warn", "note")


def is_known(path: str) -> bool:
    """Whether the table has this path, or a path below it."""
    if path in _BY_PATH or path.startswith(_OPEN_PREFIXES):
        return True
    return any(known.startswith(f"{path}.") for known in _BY_PATH)


def describe(path: str, value: Any, *, minimum: int | None = None) -> str:
    """The observed value in words: ``0 of 2 approvals``, ``blocking findings: 3``."""
    fact = _BY_PATH.get(path)
    label = fact.label if fact else path
    if minimum is not None and isinstance(value, int):
        return f"{value} of {minimum} {label}"
    return f"{label}: {_in_words(value)}"


def _in_words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        items: list[str] = [str(item) for item in value]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        return _clip(", ".join(items[:20])) or "none"
    return _clip(str(value)) or "empty"


def _clip(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:199]}…"
