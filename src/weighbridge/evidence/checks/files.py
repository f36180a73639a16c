"""The files: every byte is what SHA256SUMS says, nothing is missing, nothing is added."""

from __future__ import annotations

from weighbridge.errors import InvalidInput
from weighbridge.evidence.bundle import SUMS
from weighbridge.evidence.checks.case import Case, failed, named, size_words
from weighbridge.evidence.held import is_proof
from weighbridge.evidence.sums import parse_sums


def check_files(case: Case) -> str:
    """Sets ``case.sums``; it is the signed list only once the line ``digests`` holds too."""
    text = case.text(SUMS)
    try:
        sums = parse_sums(text)
    except InvalidInput as error:
        raise failed(f"{SUMS} cannot be used: {error.message}") from error
    if any(is_proof(path) for path in sums):
        raise failed(f"{SUMS} lists files of the proof itself")
    case.sums = sums
    present = {path: sha256 for path, sha256 in case.held.sha256.items() if not is_proof(path)}
    strange = {problem.partition(": ")[0] for problem in case.held.problems}
    reasons = list(case.held.problems)
    reasons += _reason("missing", sorted(sums.keys() - present.keys() - strange))
    reasons += _reason("changed", sorted(path for path in sums.keys() & present.keys() if sums[path] != present[path]))
    reasons += _reason("not part of the release", sorted(present.keys() - sums.keys()))
    if reasons:
        raise failed("; ".join(reasons[:8]))
    size_bytes = sum(case.held.size_bytes[path] for path in sums)
    return f"{len(sums)} files, {size_words(size_bytes)}: every one as SHA256SUMS says, none missing, none added"


def _reason(what: str, paths: list[str]) -> list[str]:
    return [f"{what}: {named(paths)}"] if paths else []
