"""Turns of a dial downwards: they hold at once and need no decision; the worker signs and logs each afterwards.

for row in await desk.db.all(QUERIES["unsigned_lowerings"], infix=LOWERING_INFIX):
    await sign_lowerings(desk, row["release_id"])
"""

from __future__ import annotations

from weighbridge.evidence import predicates
from weighbridge.evidence.envelope import sign_statement
from weighbridge.evidence.statement import Kind, transition_of
from weighbridge.evidence.times import rfc3339
from weighbridge.release.case import find_statement, put_statement, read_case
from weighbridge.release.desk import Desk
from weighbridge.release.log_stage import log_statements
from weighbridge.storage.database import load_queries

QUERIES = load_queries("weighbridge.release")
LOWERING_INFIX = f":{Kind.EFFECT.value}:lowering-"
"""Between release id and position in the key of such a statement (``case.statement_key``)."""


async def sign_lowerings(desk: Desk, release_id: str) -> None:
    """Signs every turn downwards that has no statement yet, and logs it. Run again, it adds nothing."""
    case = await read_case(desk.db, release_id)
    for row in await desk.db.all(QUERIES["dial_changes_of_release"], release_id=release_id):
        who = f"lowering-{row['position']}"
        if row["decision_id"] is not None or await find_statement(desk.db, release_id, Kind.EFFECT, who=who):
            continue
        statement = predicates.effect(
            case.subject,
            transition=transition_of(
                row["weights_from"], row["weights_to"], row["inference_from"], row["inference_to"]
            ),
            release_commit=case.row["commit_oid"],
            intent=None,
            effective_on=rfc3339(row["effective_ms"]),
        )
        envelope = sign_statement(statement, desk.release_key)
        await put_statement(desk.db, case, Kind.EFFECT, envelope, now_ms=row["effective_ms"], who=who)
    await log_statements(desk, release_id)
