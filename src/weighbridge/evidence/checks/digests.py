"""The seal: ``digests.json`` is signed by a trusted key and names every file of the proof."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from weighbridge.errors import InvalidInput
from weighbridge.evidence.bundle import DIGESTS, PROOF_PATHS, PUBLIC_KEY, SUMS
from weighbridge.evidence.checks.case import Case, Sealed, failed, named, read
from weighbridge.evidence.envelope import read_envelope
from weighbridge.evidence.held import is_proof
from weighbridge.evidence.statement import Kind, Subject, kind_of


def check_digests(case: Case) -> str:
    """Sets ``case.sealed``."""
    envelope = read_envelope(case.proof(DIGESTS))
    statement = envelope.check(case.trust.public_keys())
    key = case.trust.release_key(envelope.keyid)
    if key is None:  # `check` passed, so the key is there; kept for the type checker and for the day that this changes
        raise failed(f"{DIGESTS} is signed by a key that is not in the trust file")
    listed = _listed(statement)
    present = {path: sha256 for path, sha256 in case.held.sha256.items() if is_proof(path) and path != DIGESTS}
    unlisted = sorted(present.keys() - listed.keys())
    missing = sorted(listed.keys() - present.keys())
    changed = sorted(path for path in listed.keys() & present.keys() if listed[path] != present[path])
    for what, paths in (("changed", changed), ("missing", missing), ("not part of the release", unlisted)):
        if paths:
            raise failed(f"{what}: {named(paths)}")
    predicate = read(statement["predicate"], _Predicate, DIGESTS)
    digest = predicate.release.digest.sha256
    if hashlib.sha256(case.proof(SUMS)).hexdigest() != digest:
        raise failed(f"{SUMS} does not have the release digest that {DIGESTS} names")
    if case.text(PUBLIC_KEY) != key.public_key:
        raise failed(f"{PUBLIC_KEY} is not the key that signed the release")
    case.sealed = Sealed(subject=Subject(repo=predicate.repo, digest=digest), key=key)
    return f"{len(listed)} files of the proof of {predicate.repo}, sealed by {key.identity} (key {key.keyid[:16]})"


def _listed(statement: dict[str, Any]) -> dict[str, str]:
    """Hex sha256 by path."""
    try:
        kind = kind_of(statement)
    except InvalidInput as error:
        raise failed(error.message) from error
    if kind is not Kind.DIGESTS:
        raise failed(f"{DIGESTS} is a statement of another kind: {kind}")
    subjects: list[dict[str, Any]] = statement["subject"]
    listed: dict[str, str] = {one["name"]: one["digest"]["sha256"] for one in subjects}
    if len(listed) != len(subjects):
        raise failed(f"{DIGESTS} names a file twice")
    missing = sorted(set(PROOF_PATHS) - {DIGESTS} - listed.keys())
    if missing or not all(is_proof(path) for path in listed) or DIGESTS in listed:
        raise failed(f"{DIGESTS} does not list what a release has" + (f": {named(missing)}" if missing else ""))
    return listed


class _Digest(msgspec.Struct, frozen=True, kw_only=True):
    sha256: str


class _Release(msgspec.Struct, frozen=True, kw_only=True):
    digest: _Digest


class _Predicate(msgspec.Struct, frozen=True, kw_only=True):
    release: _Release
    repo: str
