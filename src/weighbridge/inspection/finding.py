"""What an inspection answers: findings by rule, facts, and one result."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec


class Severity(StrEnum):
    """What a finding means for a release: it stops it, it warns, it is only told."""

    BLOCK = "block"
    WARN = "warn"
    NOTE = "note"


class Result(StrEnum):
    """The whole inspection's result, in the words of in-toto's test-result predicate."""

    PASSED = "PASSED"
    WARNED = "WARNED"
    FAILED = "FAILED"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing found in one file (``file`` is empty for the whole folder), and at which byte if it has a place."""

    rule: str
    severity: Severity
    file: str
    at_byte: int | None
    title: str
    reason: str
    remedy: str
    reference: str


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """Everything found. ``passed``, ``warned`` and ``failed`` are rule ids: each rule is in exactly one of them.

    ``isolation`` names the measures that were in force where the files were read; empty when it was this process.
    """

    findings: tuple[Finding, ...]
    facts: dict[str, Any]
    files: int
    size_bytes: int
    result: Result
    passed: tuple[str, ...]
    warned: tuple[str, ...]
    failed: tuple[str, ...]
    rules_sha256: str
    isolation: tuple[str, ...] = ()
