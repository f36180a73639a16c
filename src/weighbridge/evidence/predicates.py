"""One builder a kind of statement, from plain values (docs/format.md section 5).

    statement = predicates.intent(subject, transition=…, decision=decision, inputs=[…], policy=…, planned_on=…)
    envelope = sign_statement(statement, key)

Times are RFC 3339 texts (``times.rfc3339``); accounts are pseudonymous URIs, never names.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from weighbridge.errors import InvalidInput
from weighbridge.evidence.envelope import Envelope
from weighbridge.evidence.statement import Kind, Subject, Transition, build_statement

RESULTS = ("PASSED", "WARNED", "FAILED")
VERDICTS = ("approve", "reject")
RULES_NAME = "weighbridge-inspection-rules"
ATTESTATIONS_PATH = ".release/attestations.jsonl"
POLICY_PATH = ".release/policy.yaml"


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """A document that a statement points at: its path in the release, hex sha256 and media type."""

    name: str
    sha256: str
    media_type: str


class PolicyRef(msgspec.Struct, frozen=True, kw_only=True):
    """A policy by name and by the hex sha256 of its text."""

    name: str
    sha256: str


def inspection(
    subject: Subject,
    *,
    result: str,
    rules_sha256: str,
    passed: Sequence[str],
    warned: Sequence[str],
    failed: Sequence[str],
    findings: Sequence[Mapping[str, Any]],
    files: int,
    size_bytes: int,
    facts: Mapping[str, Any],
) -> dict[str, Any]:
    """What the hub measured in the bytes. ``passed``, ``warned``, ``failed``: rule ids; a finding has a severity."""
    if result not in RESULTS:
        raise InvalidInput(f"could not write the inspection: {result!r} is not one of {', '.join(RESULTS)}")
    predicate = {
        "result": result,
        "configuration": [{"name": RULES_NAME, "digest": {"sha256": rules_sha256}}],
        "passedTests": list(passed),
        "warnedTests": list(warned),
        "failedTests": list(failed),
        "findings": [dict(finding) for finding in findings],
        "files": files,
        "sizeBytes": size_bytes,
        "facts": dict(facts),
    }
    return build_statement(subject, Kind.INSPECTION, predicate)


def documents(
    subject: Subject,
    *,
    attester: str,
    references: Iterable[Reference],
    release: Mapping[str, Any],
    documents: Mapping[str, Any],
) -> dict[str, Any]:
    """Which documents go with the release.

    Args:
        subject: the release.
        attester: public URL of the hub.
        references: SHA256SUMS, README.md (if there is one), bom.cdx.json.
        release: facts on who and what, as the policy sees them: ``author`` (account URI), ``type`` (model, dataset).
        documents: facts on the documents, as the policy sees them: ``sums``, ``bom``, ``card``.
    """
    predicate = {
        "attester": {"id": attester},
        "references": [
            {"name": one.name, "digest": {"sha256": one.sha256}, "mediaType": one.media_type} for one in references
        ],
        "facts": {"release": dict(release), "documents": dict(documents)},
    }
    return build_statement(subject, Kind.DOCUMENTS, predicate)


def account_key(
    subject: Subject, *, account: str, public_key_pem: str, roles: Iterable[str], valid_from: str
) -> dict[str, Any]:
    """The hub's word on whose key an approval is signed with, and in which roles that account stood."""
    predicate = {
        "account": account,
        "publicKey": public_key_pem,
        "roles": sorted(set(roles)),
        "validFrom": valid_from,
    }
    return build_statement(subject, Kind.ACCOUNT_KEY, predicate)


def approval(
    subject: Subject,
    *,
    verdict: str,
    transition: Transition,
    policy: PolicyRef,
    account: str,
    roles: Iterable[str],
    reason_digest: str,
    approved_on: str,
) -> dict[str, Any]:
    """One person's yes or no to one transition of one release digest under one policy text."""
    if verdict not in VERDICTS:
        raise InvalidInput(f"could not write the approval: {verdict!r} is not one of {', '.join(VERDICTS)}")
    predicate = {
        "verdict": verdict,
        "transition": transition.as_json(),
        "policy": {"name": policy.name, "digest": {"sha256": policy.sha256}},
        "account": account,
        "roles": sorted(set(roles)),
        "reasonDigest": reason_digest,
        "approvedOn": approved_on,
    }
    return build_statement(subject, Kind.APPROVAL, predicate)


def decision(
    subject: Subject,
    *,
    verifier: str,
    resource_uri: str,
    policy: PolicyRef,
    inputs: Iterable[Envelope],
    facts: Mapping[str, Any],
    rules: Iterable[Mapping[str, Any]],
    transition: Transition,
    passed: bool,
    decided_on: str,
) -> dict[str, Any]:
    """The policy's verdict as a SLSA verification summary.

    Args:
        subject: the release.
        verifier: public URL of the hub.
        resource_uri: page of the release.
        policy: the policy that decided.
        inputs: every statement that the facts were taken from, approvals and account keys among them.
        facts: the policy's whole input, as ``facts.policy_facts`` takes it from ``inputs``.
        rules: verdict of each rule; each has at least ``id``, ``severity`` and ``passed``.
        transition: what was decided on.
        passed: the verdict.
        decided_on: RFC 3339.
    """
    predicate = {
        "verifier": {"id": verifier},
        "timeVerified": decided_on,
        "resourceUri": resource_uri,
        "policy": _policy(policy),
        "inputAttestations": _inputs(inputs),
        "verificationResult": "PASSED" if passed else "FAILED",
        "verifiedLevels": [],
        "slsaVersion": "1.0",
        "facts": dict(facts),
        "rules": [dict(rule) for rule in rules],
        "transition": transition.as_json(),
    }
    return build_statement(subject, Kind.DECISION, predicate)


def intent(
    subject: Subject,
    *,
    transition: Transition,
    decision: Envelope,
    inputs: Iterable[Envelope],
    policy: PolicyRef,
    planned_on: str,
) -> dict[str, Any]:
    """What the hub is about to do, and on which decision; this is what goes into the log first."""
    predicate = {
        "phase": "intent",
        "transition": transition.as_json(),
        "decision": {"digest": {"sha256": decision.id}},
        "inputAttestations": _inputs(inputs),
        "policy": _policy(policy),
        "plannedOn": planned_on,
    }
    return build_statement(subject, Kind.INTENT, predicate)


def effect(
    subject: Subject, *, transition: Transition, release_commit: str, intent: Envelope | None, effective_on: str
) -> dict[str, Any]:
    """That the dials stand so since a time, and which commit readers see; without an intent for a turn downwards."""
    predicate: dict[str, Any] = {
        "phase": "effect",
        "transition": transition.as_json(),
        "releaseCommit": release_commit,
        "effectiveOn": effective_on,
    }
    if intent is not None:
        predicate["intent"] = {"digest": {"sha256": intent.id}}
    return build_statement(subject, Kind.EFFECT, predicate)


def withdrawal(subject: Subject, *, advisory: Mapping[str, Any], reason: str, withdrawn_on: str) -> dict[str, Any]:
    """That the release must not be used any more, why and since when."""
    predicate = {"advisory": dict(advisory), "reason": reason, "withdrawnOn": withdrawn_on}
    return build_statement(subject, Kind.WITHDRAWAL, predicate)


def digests(subject: Subject, *, files: Mapping[str, bytes]) -> dict[str, Any]:
    """The list of every file of the proof; unlike in the other kinds, its subjects are these files."""
    predicate = {"release": {"digest": {"sha256": subject.digest}}, "repo": subject.repo}
    statement = build_statement(subject, Kind.DIGESTS, predicate)
    statement["subject"] = [
        {"name": path, "digest": {"sha256": hashlib.sha256(files[path]).hexdigest()}} for path in sorted(files)
    ]
    return statement


def reason_digest(reason: str, *, salt: bytes) -> str:
    """Hex sha256 of salt and words: binds the words without saying them."""
    return hashlib.sha256(salt + reason.encode("utf-8")).hexdigest()


def _inputs(envelopes: Iterable[Envelope]) -> list[dict[str, Any]]:
    return [{"uri": ATTESTATIONS_PATH, "digest": {"sha256": envelope.id}} for envelope in envelopes]


def _policy(policy: PolicyRef) -> dict[str, Any]:
    return {"name": policy.name, "uri": POLICY_PATH, "digest": {"sha256": policy.sha256}}
