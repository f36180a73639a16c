"""The files: every byte is what SHA256SUMS says, nothing is missing, nothing is added."""

from __future__ import annotations

from weighbridge.evidence.bundle import SUMS
from weighbridge.evidence.checks.case import Case, failed, named, size_words
from weighbridge.evidence.held import is_proof


def check_files(case: Case) -> str:
    """Every file that is not of the proof is listed with its digest, and every listed file is there."""
    sums = case.sums()
    if any(is_proof(path) for path in sums):
        raise failed(f"{SUMS} lists files of the proof itself")
    present = {path: sha256 for path, sha256 in case.held.sha256.items() if not is_proof(path)}
    strange = {problem.partition(": ")[0] for problem in case.held.problems}
    reasons = list(case.held.problems)
    reasons += _reason("missing", sorted(sums.keys() - present.keys() - strange))
    reasons += _reason("changed", sorted(path for path in sums.keys() & present.keys() if sums[path] != present[path]))
    reasons += _reason("not part of the release", sorted(present.keys() - sums.keys()))
    if reasons:
        raise failed("; ".join(reasons[:8]))
    size_bytes = sum(case.held.size_bytes[path] for path in sums)
    inspected = case.enclosed.inspection.predicate.get("sizeBytes") if case.enclosed else size_bytes
    if inspected != size_bytes:
        raise failed(f"the inspection is of {inspected} bytes, the release has {size_bytes}")
    return f"{len(sums)} files, {size_words(size_bytes)}: every one as SHA256SUMS says, none missing, none added"


def _reason(what: str, paths: list[str]) -> list[str]:
    return [f"{what}: {named(paths)}"] if paths else []
