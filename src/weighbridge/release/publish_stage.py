"""Publication: the proof's files are stored, the transition opens the release, and its effect goes into the log."""

from __future__ import annotations

from weighbridge.evidence import predicates
from weighbridge.evidence.bundle import BOM, PROOF, README, build_release_files
from weighbridge.evidence.envelope import Envelope, read_envelope, sign_statement
from weighbridge.evidence.statement import Kind
from weighbridge.evidence.times import rfc3339
from weighbridge.hub.commit import NewFile
from weighbridge.hub.git import blob_oid
from weighbridge.release import stages
from weighbridge.release.case import Case, need_document, need_statement, put_statement, read_case, read_row
from weighbridge.release.desk import Desk
from weighbridge.release.log_stage import log_statements
from weighbridge.release.names import Stage
from weighbridge.release.transition import open_release
from weighbridge.storage.database import Session, in_transaction, load_queries

QUERIES = load_queries("weighbridge.release")


async def publish_release(desk: Desk, release_id: str) -> str:
    """Id of the release commit, which readers see when this returns.

    Raises:
        Refused: something that the decision stood on does not hold any more.
    """
    case = await read_case(desk.db, release_id)
    if case.row["commit_oid"]:
        return case.row["commit_oid"]
    await stages.begin(desk.db, case.id, Stage.PUBLISH, now_ms=desk.clock())
    extra = await _store_proof(desk, case)
    now_ms = desk.clock()

    async def work(tx: Session) -> str:
        return await open_release(tx, release_id, extra, hub_policy=desk.hub_policy, now_ms=now_ms)

    return await in_transaction(desk.db, work)


async def log_effect(desk: Desk, release_id: str) -> str:
    """Empty: the log says that the release is open."""
    case = await read_case(desk.db, release_id)
    changes = await desk.db.all(QUERIES["dial_changes_of_release"], release_id=case.id)
    effective_ms = changes[0]["effective_ms"]
    intent = await need_statement(desk.db, case.id, Kind.INTENT)
    statement = predicates.effect(
        case.subject,
        transition=case.transition,
        release_commit=case.row["commit_oid"],
        intent=intent,
        effective_on=rfc3339(effective_ms),
    )
    envelope = sign_statement(statement, desk.release_key)
    await put_statement(desk.db, case, Kind.EFFECT, envelope, now_ms=effective_ms)
    await log_statements(desk, release_id)
    row = await read_row(desk.db, release_id)
    summary = (
        f"release {row['number']} is out as commit {row['commit_oid'][:12]}:"
        f" weights {row['weights_wanted']}, inference {row['inference_wanted']}"
    )
    await stages.end(desk.db, case.id, Stage.PUBLISH, summary, now_ms=desk.clock())
    return ""


async def _store_proof(desk: Desk, case: Case) -> list[NewFile]:
    files = build_release_files(
        subject=case.subject,
        files=case.pairs,
        statements=await _statements(desk, case),
        policy_text=case.row["policy_text"],
        bom_text=await need_document(desk.db, case.id, BOM),
        tlog_proof=await need_document(desk.db, case.id, PROOF),
        readme=await need_document(desk.db, case.id, README),
        key=desk.release_key,
    )
    return [
        NewFile(
            path=path,
            sha256=await desk.blobs.put_bytes(content),
            size_bytes=len(content),
            git_oid=blob_oid(content),
            is_text=True,
        )
        for path, content in sorted(files.items())
    ]


async def _statements(desk: Desk, case: Case) -> list[Envelope]:
    """What travels with the release, in reading order: what the decision stood on, the decision, the intent."""
    decision = await need_statement(desk.db, case.id, Kind.DECISION)
    kept = {
        row["id"]: Envelope(text=row["envelope"], id=row["id"])
        for row in await desk.db.all(QUERIES["statements_of_release"], release_id=case.id)
    }
    inputs = read_envelope(decision.text).statement["predicate"]["inputAttestations"]
    intent = await need_statement(desk.db, case.id, Kind.INTENT)
    return [*(kept[one["digest"]["sha256"]] for one in inputs), decision, intent]
