"""Events: one line of the hub's diary for each change of state, written in the transaction of that change.

    async with db.transaction() as tx:
        await tx.run(QUERIES["insert_repo"], **row)
        await append_event(tx, "repo:create", actor_id=account.id, repo_id=repo.id, now_ms=now_ms)

Either both are there or neither, so the diary never tells of what did not happen, and misses nothing that did.
"""

from __future__ import annotations

import re
import secrets

import msgspec

from weighbridge.storage.database import Row, Session, load_queries

QUERIES = load_queries("weighbridge.oversight")
_ACTION = re.compile(r"[a-z]+(-[a-z]+)*:[a-z]+(-[a-z]+)*")


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One change: ``action`` is ``subject:action``, ``detail`` what tells it from others of its kind."""

    id: str
    at_ms: int
    action: str
    actor_id: str | None
    repo_id: str | None
    release_id: str | None
    detail: dict[str, object]


async def append_event(
    tx: Session,
    action: str,
    *,
    now_ms: int,
    actor_id: str | None = None,
    repo_id: str | None = None,
    release_id: str | None = None,
    detail: dict[str, object] | None = None,
) -> str:
    """The id of the event. ``actor_id`` None: the hub itself, or somebody not logged in. No secrets in ``detail``.

    Raises: ValueError when ``action`` is not of the form ``subject:action``.
    """
    if not _ACTION.fullmatch(action):
        raise ValueError(f"an event's action reads subject:action, not {action!r}")
    event_id = secrets.token_hex(16)
    await tx.run(
        QUERIES["insert_event"],
        id=event_id,
        at_ms=now_ms,
        action=action,
        actor_id=actor_id,
        repo_id=repo_id,
        release_id=release_id,
        detail=msgspec.json.encode(detail or {}).decode(),
    )
    return event_id


async def list_events(db: Session, *, repo_id: str | None = None, limit: int = 100) -> list[Event]:
    """Newest first, at most ``limit``: of one repo, or of the whole hub."""
    if repo_id is None:
        rows = await db.all(QUERIES["events"], most=limit)
    else:
        rows = await db.all(QUERIES["events_of_repo"], repo_id=repo_id, most=limit)
    return [_event(row) for row in rows]


def _event(row: Row) -> Event:
    return msgspec.convert({**row, "detail": msgspec.json.decode(row["detail"])}, Event)
