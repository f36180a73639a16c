"""What is known while the files are read, and what it comes to at the end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from weighbridge.checkpoint.format import Format
from weighbridge.checkpoint.region import Malformed
from weighbridge.inspection.finding import Finding, Inspection, Result, Severity
from weighbridge.inspection.rules import RULE_BY_ID, RULES, rules_sha256

MAX_FINDINGS = 2_000  # of each severity, so that warnings never crowd out what blocks
MAX_FINDINGS_OF_FILE = 50
_RANK = {Severity.BLOCK: 2, Severity.WARN: 1, Severity.NOTE: 0}


class Survey:
    """Collects findings and facts; ``conclude`` makes the Inspection of them."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.fired: set[str] = set()  # rules, also of findings past the bounds of the list
        self.formats: set[str] = set()
        self.weights: dict[Format, dict[str, int]] = {}  # elements by dtype, of each format
        self.tensors: dict[Format, int] = {}
        self.tensor_names: dict[str, frozenset[str]] = {}  # of each safetensors file, by path
        self.documents: dict[str, dict[str, Any]] = {}  # what other rules read of JSON files, by path
        self.paths: frozenset[str] = frozenset()
        self.about: dict[str, Any] = {}  # facts that a file states, such as the architecture
        self._counts: dict[tuple[str, Severity], int] = {}  # findings of a file; of all files under ""

    def find(self, rule_id: str, file: str, reason: str, *, at_byte: int | None = None) -> None:
        """Adds a finding; the rule's table says how severe it is."""
        rule = RULE_BY_ID[rule_id]
        self.fired.add(rule_id)
        counts = self._counts
        counts[file, rule.severity] = counts.get((file, rule.severity), 0) + 1
        counts["", rule.severity] = counts.get(("", rule.severity), 0) + 1
        if counts["", rule.severity] > MAX_FINDINGS or counts[file, rule.severity] > MAX_FINDINGS_OF_FILE:
            return
        self.findings.append(
            Finding(
                rule=rule.id,
                severity=rule.severity,
                file=file,
                at_byte=at_byte,
                title=rule.title,
                reason=reason,
                remedy=rule.remedy,
                reference=rule.reference,
            )
        )

    def find_malformed(self, rule_id: str, file: str, error: Malformed) -> None:
        """Adds a finding for what a reader did not accept."""
        self.find(rule_id, file, error.message, at_byte=error.at_byte)

    def count_weights(self, kind: Format, elements: Iterable[tuple[str, int]]) -> None:
        """Adds tensors, each by its dtype and number of elements."""
        dtypes = self.weights.setdefault(kind, {})
        self.tensors.setdefault(kind, 0)
        for dtype, count in elements:
            dtypes[dtype] = dtypes.get(dtype, 0) + count
            self.tensors[kind] += 1

    def conclude(self, *, files: int, size_bytes: int) -> Inspection:
        """The Inspection. Findings are sorted, the severest first, so that equal files give equal statements."""
        severities = {RULE_BY_ID[rule_id].severity for rule_id in self.fired}
        result = Result.PASSED
        if Severity.BLOCK in severities:
            result = Result.FAILED
        elif Severity.WARN in severities:
            result = Result.WARNED
        fired = {
            severity: tuple(rule.id for rule in RULES if rule.id in self.fired and rule.severity is severity)
            for severity in Severity
        }
        quiet = tuple(rule.id for rule in RULES if rule.id not in self.fired or rule.severity is Severity.NOTE)
        return Inspection(
            findings=tuple(sorted(self.findings, key=_order)),
            facts=self._facts(),
            files=files,
            size_bytes=size_bytes,
            result=result,
            passed=quiet,
            warned=fired[Severity.WARN],
            failed=fired[Severity.BLOCK],
            rules_sha256=rules_sha256(),
        )

    def _facts(self) -> dict[str, Any]:
        # The same weights often lie there in several formats: count the one that is loaded first.
        main = next((kind for kind in (Format.SAFETENSORS, Format.TORCH, Format.GGUF) if self.tensors.get(kind)), None)
        dtypes = dict(sorted(self.weights[main].items())) if main else {}
        return {
            "formats": sorted(self.formats),
            "tensors": self.tensors[main] if main else 0,
            "parameters": sum(dtypes.values()),
            "dtypes": dtypes,
            "architecture": self.about.get("architecture", ""),
            "model_type": self.about.get("model_type", ""),
            "pipeline_tag": self.about.get("pipeline_tag", ""),
            "tokenizer": self.about.get("tokenizer", ""),
            "chat_template": bool(self.about.get("chat_template")),
            "remote_code": bool({"remote-code", "remote-code-elsewhere"} & self.fired),
            "context_length": self.about.get("context_length", 0),
            "vocabulary": self.about.get("vocabulary", 0),
        }


def _order(finding: Finding) -> tuple[int, str, int, str, str]:
    return -_RANK[finding.severity], finding.file, finding.at_byte or 0, finding.rule, finding.reason
