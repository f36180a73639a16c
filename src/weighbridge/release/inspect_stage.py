"""Inspection of a candidate: every byte read once, in a sandboxed process; findings and a signed statement kept."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from weighbridge.checkpoint import ModelFile
from weighbridge.errors import StorageFull
from weighbridge.evidence import predicates
from weighbridge.evidence.envelope import sign_statement
from weighbridge.evidence.statement import Kind
from weighbridge.hub.files import File
from weighbridge.inspection import Finding, Inspection, Result, run_inspection
from weighbridge.oversight.event import append_event
from weighbridge.release import stages
from weighbridge.release.case import Case, find_statement, put_statement, read_case
from weighbridge.release.desk import Desk
from weighbridge.release.names import Stage, StageState
from weighbridge.storage.blobs import BlobStore
from weighbridge.storage.database import Session, load_queries

QUERIES = load_queries("weighbridge.release")
PROGRESS_EVERY_S = 0.25
TIMEOUT_S = 4 * 3600.0
MAX_SHOWN = 20


async def inspect_candidate(desk: Desk, release_id: str) -> str:
    """Empty when nothing blocks, else why this candidate cannot be released."""
    case = await read_case(desk.db, release_id)
    if await find_statement(desk.db, case.id, Kind.INSPECTION) is None:
        await stages.begin(desk.db, case.id, Stage.INSPECT, total_bytes=case.size_bytes, now_ms=desk.clock())
        inspection = await _inspect(desk, case)
        await _keep(desk, case, inspection)
        await _close(desk, case, inspection)
    blocking = await desk.db.all(QUERIES["blocking_findings"], release_id=case.id)
    return f"inspection found {stages.count(len(blocking), 'blocking problem')}" if blocking else ""


async def _inspect(desk: Desk, case: Case) -> Inspection:
    done = 0

    def note(done_bytes: int) -> None:
        nonlocal done
        done = done_bytes

    async def show() -> None:
        while True:
            await asyncio.sleep(PROGRESS_EVERY_S)
            await stages.move(desk.db, case.id, Stage.INSPECT, done_bytes=done)

    async with local_files(desk.blobs, case.files, desk.scratch / f"inspect-{case.id}") as files:
        showing = asyncio.create_task(show())
        try:
            return await run_inspection(files, timeout_s=TIMEOUT_S, on_progress=note)
        finally:
            showing.cancel()
            await asyncio.gather(showing, return_exceptions=True)


async def _keep(desk: Desk, case: Case, inspection: Inspection) -> None:
    statement = predicates.inspection(
        case.subject,
        result=inspection.result,
        rules_sha256=inspection.rules_sha256,
        passed=inspection.passed,
        warned=inspection.warned,
        failed=inspection.failed,
        findings=[msgspec.to_builtins(finding) for finding in inspection.findings],
        files=inspection.files,
        size_bytes=inspection.size_bytes,
        facts=inspection.facts,
    )
    envelope = sign_statement(statement, desk.release_key)
    now_ms = desk.clock()
    async with desk.db.transaction() as tx:
        await _keep_findings(tx, case.id, inspection.findings)
        await put_statement(tx, case, Kind.INSPECTION, envelope, now_ms=now_ms)
        await append_event(
            tx, "release:inspect", repo_id=case.repo.id, release_id=case.id, now_ms=now_ms,
            detail={"result": str(inspection.result), "findings": len(inspection.findings)},
        )  # fmt: skip


async def _keep_findings(tx: Session, release_id: str, findings: Sequence[Finding]) -> None:
    await tx.run(QUERIES["drop_findings"], release_id=release_id)
    for position, finding in enumerate(findings):
        row = {**msgspec.structs.asdict(finding), "severity": str(finding.severity)}
        await tx.run(QUERIES["insert_finding"], release_id=release_id, position=position, **row)


async def _close(desk: Desk, case: Case, inspection: Inspection) -> None:
    found = ", ".join(
        stages.count(number, noun)
        for severity, noun in (("block", "blocking finding"), ("warn", "warning"), ("note", "note"))
        if (number := sum(finding.severity == severity for finding in inspection.findings))
    )
    size = f"{stages.count(inspection.files, 'file')}, {stages.in_words(inspection.size_bytes)}"
    formats = ", ".join(inspection.facts.get("formats", ()))
    await stages.end(
        desk.db,
        case.id,
        Stage.INSPECT,
        f"{size}{f' ({formats})' if formats else ''}: {found or 'no finding'}",
        state=StageState.FAILED if inspection.result == Result.FAILED else StageState.PASSED,
        reasons=[
            f"{finding.severity} {finding.file}: {finding.title}. {finding.reason}"
            for finding in inspection.findings[:MAX_SHOWN]
        ],
        now_ms=desk.clock(),
    )


@asynccontextmanager
async def local_files(blobs: BlobStore, files: Sequence[File], folder: Path) -> AsyncGenerator[list[ModelFile]]:
    """The files with a path on this machine each; those of a remote store lie in ``folder`` until the block ends.

    Raises:
        StorageFull: they do not fit.
    """
    found: list[ModelFile] = []
    try:
        for index, file in enumerate(files):
            path = blobs.local_path(file.sha256) or await _fetch(blobs, file, folder / f"{index:06}")
            found.append(ModelFile(path=file.path, local_path=path, size_bytes=file.size_bytes))
        yield found
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


async def _fetch(blobs: BlobStore, file: File, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if file.size_bytes > shutil.disk_usage(path.parent).free:
        raise StorageFull(f"could not inspect {file.path}: its {file.size_bytes} bytes do not fit on the worker's disk")
    target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        async for piece in blobs.stream(file.sha256):
            await asyncio.to_thread(_write, target, piece)
    finally:
        os.close(target)
    return path


def _write(target: int, piece: bytes) -> None:
    view = memoryview(piece)
    while view:
        view = view[os.write(target, view) :]
