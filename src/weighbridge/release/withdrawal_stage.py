"""The worker's half of a withdrawal: signs the advisory and logs it."""

from __future__ import annotations

from weighbridge.evidence import predicates
from weighbridge.evidence.envelope import sign_statement
from weighbridge.evidence.statement import Kind
from weighbridge.evidence.times import rfc3339
from weighbridge.release.case import Case, find_statement, put_statement, read_case
from weighbridge.release.desk import Desk
from weighbridge.release.log_stage import log_statements
from weighbridge.storage.database import Row, load_queries

QUERIES = load_queries("weighbridge.release")


async def sign_withdrawal(desk: Desk, release_id: str) -> None:
    """Signs the withdrawal and logs it. Run again, it adds nothing."""
    case = await read_case(desk.db, release_id)
    row = await desk.db.one(QUERIES["withdrawal_of_release"], release_id=release_id)
    if row is None:
        return
    envelope = await find_statement(desk.db, release_id, Kind.WITHDRAWAL)
    if envelope is None:
        statement = predicates.withdrawal(
            case.subject, advisory=_advisory(case, row), reason=row["reason"], withdrawn_on=rfc3339(row["withdrawn_ms"])
        )
        envelope = sign_statement(statement, desk.release_key)
        await put_statement(desk.db, case, Kind.WITHDRAWAL, envelope, now_ms=row["withdrawn_ms"])
    await desk.db.run(QUERIES["sign_withdrawal"], release_id=release_id, statement_id=envelope.id)
    await log_statements(desk, release_id)


def _advisory(case: Case, row: Row) -> dict[str, object]:
    """The notice in the shape of OSV 1.7, as far as a withdrawal needs it."""
    at = rfc3339(row["withdrawn_ms"])
    return {
        "schema_version": "1.7.0",
        "id": row["advisory_id"],
        "modified": at,
        "published": at,
        "summary": f"Release {case.row['number']} of {case.repo.full_name} was withdrawn",
        "details": row["reason"],
        "affected": [
            {
                "package": {"ecosystem": "Weighbridge", "name": case.repo.full_name},
                "versions": [str(case.row["number"])],
                "database_specific": {"release_digest": case.row["digest"], "commit": case.row["commit_oid"]},
            }
        ],
    }
