"""Logging: every statement of a release gets its place in the transparency log, and the intent its proof."""

from __future__ import annotations

from weighbridge.evidence.bundle import PROOF
from weighbridge.evidence.statement import Kind
from weighbridge.release import stages
from weighbridge.release.case import find_document, put_document, read_case, statement_key
from weighbridge.release.desk import Desk
from weighbridge.release.names import Stage
from weighbridge.storage.database import load_queries
from weighbridge.tlog import append, find_entry, format_proof, prove, publish

QUERIES = load_queries("weighbridge.release")
_ORDER = {kind.value: place for place, kind in enumerate(Kind)}


async def log_intent(desk: Desk, release_id: str) -> str:
    """Empty: everything signed so far is in the log, and the proof of the intent is kept."""
    case = await read_case(desk.db, release_id)
    if await find_document(desk.db, case.id, PROOF) is not None:
        return ""
    await stages.begin(desk.db, case.id, Stage.LOG, now_ms=desk.clock())
    entries = await log_statements(desk, release_id)
    entry = await find_entry(desk.db, dedup_key=statement_key(case.id, Kind.INTENT))
    proof = await prove(desk.db, desk.objects, position=entry.position)
    await put_document(desk.db, case.id, PROOF, format_proof(proof))
    summary = f"{entries} statements in the log, the intent at position {entry.position}"
    await stages.end(desk.db, case.id, Stage.LOG, summary, now_ms=desk.clock())
    return ""


async def log_statements(desk: Desk, release_id: str) -> int:
    """Number of the release's statements; each has its entry in the published log, however often this runs."""
    rows = await desk.db.all(QUERIES["statements_of_release"], release_id=release_id)
    for row in sorted(rows, key=lambda row: (_ORDER[row["kind"]], row["created_ms"], row["id"])):
        await append(desk.db, dedup_key=row["dedup_key"], statement_sha256=row["id"], now_ms=desk.clock())
    await publish(desk.db, desk.objects, desk.log_signer, now_ms=desk.clock())
    return len(rows)
