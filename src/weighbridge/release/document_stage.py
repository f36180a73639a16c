"""Documents of a candidate: SHA256SUMS, the bill of materials, how to check; and the statement that names them."""

from __future__ import annotations

import hashlib

from weighbridge.documents.bom import build_bom
from weighbridge.documents.card import card_facts
from weighbridge.documents.release_readme import release_readme
from weighbridge.errors import Conflict
from weighbridge.evidence import predicates
from weighbridge.evidence.bundle import BOM, README, SUMS
from weighbridge.evidence.envelope import read_envelope, sign_statement
from weighbridge.evidence.predicates import Reference
from weighbridge.evidence.statement import Kind
from weighbridge.evidence.sums import release_digest, sha256sums
from weighbridge.evidence.times import rfc3339
from weighbridge.oversight.event import append_event
from weighbridge.release import stages
from weighbridge.release.case import Case, find_statement, need_statement, put_document, put_statement, read_case
from weighbridge.release.desk import Desk
from weighbridge.release.names import Stage

CARD = "README.md"
MAX_CARD_BYTES = 1 << 20


async def document_candidate(desk: Desk, release_id: str) -> str:
    """Empty: documents are written, never refused.

    Raises:
        Conflict: the candidate's files do not have the release digest.
    """
    case = await read_case(desk.db, release_id)
    if await find_statement(desk.db, case.id, Kind.DOCUMENTS) is not None:
        return ""
    await stages.begin(desk.db, case.id, Stage.DOCUMENT, now_ms=desk.clock())
    sums = sha256sums(case.pairs)
    if release_digest(sums) != case.row["digest"]:
        raise Conflict(f"could not document {case.repo.full_name}: its files do not have the release digest")
    card = await _read_card(desk, case)
    facts = card_facts(card)
    made = {SUMS: sums, BOM: await _bom(desk, case, facts), README: _readme(desk, case)}
    envelope = sign_statement(_statement(desk, case, made, card=card, facts=facts), desk.release_key)
    now_ms = desk.clock()
    async with desk.db.transaction() as tx:
        for path, text in made.items():
            await put_document(tx, case.id, path, text)
        await put_statement(tx, case, Kind.DOCUMENTS, envelope, now_ms=now_ms)
        await append_event(tx, "release:document", repo_id=case.repo.id, release_id=case.id, now_ms=now_ms)
    licence = facts.get("license") or "no licence named"
    summary = f"SHA256SUMS, CycloneDX bill of materials, {'model card' if card else 'no model card'} ({licence})"
    await stages.end(desk.db, case.id, Stage.DOCUMENT, summary, now_ms=desk.clock())
    return ""


async def _read_card(desk: Desk, case: Case) -> str | None:
    file = next((file for file in case.files if file.path == CARD), None)
    if file is None or file.size_bytes > MAX_CARD_BYTES:
        return None
    return (await desk.blobs.read(file.sha256)).decode("utf-8", "replace")


async def _bom(desk: Desk, case: Case, facts: dict[str, object]) -> str:
    inspection = read_envelope((await need_statement(desk.db, case.id, Kind.INSPECTION)).text).statement
    return build_bom(
        repo=case.repo.full_name,
        revision=case.candidate.oid,
        digest=case.row["digest"],
        files=[(file.path, file.sha256, file.size_bytes) for file in case.files],
        card=facts,
        facts=inspection["predicate"]["facts"],
        made_at=rfc3339(case.row["created_ms"]),
        hub=desk.public_url,
    )


def _readme(desk: Desk, case: Case) -> str:
    return release_readme(
        repo=case.repo.full_name, hub=desk.public_url, digest=case.row["digest"], number=case.row["number"]
    )


def _statement(
    desk: Desk, case: Case, made: dict[str, str], *, card: str | None, facts: dict[str, object]
) -> dict[str, object]:
    types = {SUMS: "text/plain", BOM: "application/vnd.cyclonedx+json"}
    references = [
        Reference(name=path.rpartition("/")[2], sha256=hashlib.sha256(made[path].encode()).hexdigest(), media_type=kind)
        for path, kind in types.items()
    ]
    sha256 = next((file.sha256 for file in case.files if file.path == CARD), None)
    if card is not None and sha256 is not None:
        references.append(Reference(name=CARD, sha256=sha256, media_type="text/markdown"))
    return predicates.documents(
        case.subject,
        attester=desk.public_url,
        references=references,
        release=_release(case),
        documents={"sums": True, "bom": True, "card": facts},
    )


def _release(case: Case) -> dict[str, object]:
    """Whose it is; ``authors`` only where more than who put it forward pushed what is in it."""
    authors = sorted(case.authors.values())
    return {
        "author": case.author.uri,
        "type": case.repo.type,
        **({"authors": authors} if len(authors) > 1 else {}),
    }
