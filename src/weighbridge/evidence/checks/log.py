"""The log: the intent is in the hub's append-only log, under a tree head that the log's key signed."""

from __future__ import annotations

import msgspec

from weighbridge.errors import InvalidInput
from weighbridge.evidence.bundle import PROOF
from weighbridge.evidence.checks.case import Case, failed, needed, read
from weighbridge.evidence.times import parse_rfc3339
from weighbridge.tlog.note import leaf_bytes
from weighbridge.tlog.proof import parse_proof, verify_proof

_DAY_S = 86_400


def check_log(case: Case) -> str:
    """Sets ``case.log_position``. A C2SP checkpoint carries no time: the head's age is bounded by what it contains."""
    intent = needed(case.enclosed, "statements").intent
    text = case.text(PROOF)
    nonce = parse_proof(text).extra
    try:
        entry = leaf_bytes(intent.id, nonce)
    except InvalidInput as error:
        raise failed(f"{PROOF} does not open the commitment in the log: {error.message}") from error
    proven = verify_proof(text, entry=entry, vkey=case.trust.log.vkey)
    case.log_position = proven.position
    planned = read(intent.predicate, _Intent, "the intent").plannedOn
    return (
        f"entry {proven.position} of {proven.origin}; this copy of the log's head ({proven.size} entries) is at most "
        f"{_age(planned, case.now_ms)} old, and says nothing of a later withdrawal"
    )


def _age(planned_on: str, now_ms: int) -> str:
    """How long ago the intent was planned, in words; the head that contains it is younger."""
    try:
        age_s = max(0, now_ms - parse_rfc3339(planned_on)) // 1000
    except InvalidInput as error:
        raise failed(error.message) from error
    for unit, length_s in (("day", _DAY_S), ("hour", 3600), ("minute", 60)):
        if age_s >= length_s:
            count = -(-age_s // length_s)
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return "a minute"


class _Intent(msgspec.Struct, frozen=True, kw_only=True):
    plannedOn: str  # noqa: N815 - the predicate's own name
