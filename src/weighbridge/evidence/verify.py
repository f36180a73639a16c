"""Whether a release is what its hub released: one line a check, offline, and a reason for every doubt.

    verification = verify_folder(folder, trust, decide=decide, now_ms=now_ms, on_check=print)
    verification.ok, verification.signer.identity

Nothing is believed because the download says so: keys come from the trust file, which came another way. What offline
evidence cannot say (that the release was not withdrawn since) is not claimed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from weighbridge.errors import InvalidInput, VerificationFailed
from weighbridge.evidence.checks.case import Case, Decide, Judgement
from weighbridge.evidence.checks.decision import check_approvals, check_audience, check_decision, check_intent
from weighbridge.evidence.checks.digests import check_digests
from weighbridge.evidence.checks.files import check_files
from weighbridge.evidence.checks.log import check_log
from weighbridge.evidence.checks.signature import check_signature
from weighbridge.evidence.checks.statements import check_statements
from weighbridge.evidence.held import FolderHash, Held
from weighbridge.evidence.trust import Trust

__all__ = [
    "CHECKS",
    "Check",
    "Decide",
    "Judgement",
    "Release",
    "Signer",
    "Verification",
    "in_words",
    "verify_folder",
    "verify_hashing",
    "verify_held",
]

_MAX_DETAIL = 4000
CHECKS: tuple[tuple[str, Callable[[Case], str]], ...] = (
    ("files", check_files),
    ("digests", check_digests),
    ("model signature", check_signature),
    ("statements", check_statements),
    ("approvals", check_approvals),
    ("decision", check_decision),
    ("intent", check_intent),
    ("log", check_log),
    ("audience", check_audience),
)


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One line: what was checked, whether it holds, and what was seen or why not."""

    name: str
    ok: bool
    detail: str


class Signer(msgspec.Struct, frozen=True, kw_only=True):
    """Who sealed the release, as the trust file names the key."""

    identity: str
    issuer: str


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """What was established about the release; a field is None where a check failed."""

    repo: str
    digest: str
    transition: dict[str, Any] | None
    log_position: int | None


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """The result. ``ok`` only if every check holds; ``release`` and ``signer`` are None if the seal does not."""

    ok: bool
    release: Release | None
    signer: Signer | None
    checks: tuple[Check, ...]

    def with_check(self, check: Check) -> Verification:
        """The same with one more line, as from a question to the hub."""
        return msgspec.structs.replace(self, ok=self.ok and check.ok, checks=(*self.checks, check))


OnCheck = Callable[[Check], None]


def verify_folder(
    folder: Path, trust: Trust, *, decide: Decide, now_ms: int, on_check: OnCheck | None = None
) -> Verification:
    """Verifies a downloaded folder.

    Args:
        folder: a folder of plain files, or a snapshot of the Hugging Face cache.
        trust: whom to believe.
        decide: evaluates the policy again.
        now_ms: milliseconds since 1970, for the age of the log's head.
        on_check: gets each line, in order.

    Raises:
        UnreadableFile: the folder itself cannot be read.
    """
    with FolderHash(folder) as hashing:
        return verify_hashing(hashing, trust, decide=decide, now_ms=now_ms, on_check=on_check)


def verify_hashing(
    hashing: FolderHash, trust: Trust, *, decide: Decide, now_ms: int, on_check: OnCheck | None = None
) -> Verification:
    """As ``verify_folder``, of a folder that is being hashed already."""
    case = Case(hashing.begun, trust, decide=decide, now_ms=now_ms)
    return _examine(case, hashing.finish, on_check)


def verify_held(
    held: Held, trust: Trust, *, decide: Decide, now_ms: int, on_check: OnCheck | None = None
) -> Verification:
    """Verifies what was hashed, wherever it lies."""
    case = Case(held, trust, decide=decide, now_ms=now_ms)
    return _examine(case, lambda: held, on_check)


def _examine(case: Case, finish: Callable[[], Held], on_check: OnCheck | None) -> Verification:
    """``finish`` waits for the weights. All but `files` need the proof only, and run meanwhile."""
    others = [_run(name, function, case) for name, function in CHECKS[1:]]
    case.held = finish()
    checks = [_run(*CHECKS[0], case), *others]
    if on_check:
        for check in checks:
            on_check(check)
    return Verification(
        ok=all(check.ok for check in checks), release=_release(case), signer=_signer(case), checks=tuple(checks)
    )


def _run(name: str, function: Callable[[Case], str], case: Case) -> Check:
    try:
        return Check(name=name, ok=True, detail=in_words(function(case)))
    except (VerificationFailed, InvalidInput) as error:
        return Check(name=name, ok=False, detail=in_words(error.message))


def in_words(text: str) -> str:
    """The text without what a terminal would obey: names and statements come from whoever made the download."""
    return "".join(char if char.isprintable() else "?" for char in text[:_MAX_DETAIL])


def _release(case: Case) -> Release | None:
    if case.sealed is None:
        return None
    return Release(
        repo=case.sealed.subject.repo,
        digest=case.sealed.subject.digest,
        transition=case.transition.as_json() if case.transition else None,
        log_position=case.log_position,
    )


def _signer(case: Case) -> Signer | None:
    return Signer(identity=case.sealed.key.identity, issuer=case.sealed.key.issuer) if case.sealed else None
