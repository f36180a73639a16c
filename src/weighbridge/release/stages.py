"""Stage rows: what a release is doing now, how far it is, and how each stage came out. Everybody who waits reads these.

await begin(db, release_id, Stage.INSPECT, total_bytes=size, now_ms=clock())
await move(db, release_id, Stage.INSPECT, done_bytes=half)
await end(db, release_id, Stage.INSPECT, "5 files, no finding", now_ms=clock())
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from weighbridge.release.names import Stage, StageState
from weighbridge.storage.database import Session, load_queries

QUERIES = load_queries("weighbridge.release")


async def begin(db: Session, release_id: str, stage: Stage, *, now_ms: int, total_bytes: int = 0) -> None:
    """The stage works now. Beginning again what was not over (a crash) keeps its start."""
    await db.run(
        QUERIES["begin_stage"],
        release_id=release_id,
        position=stage.position,
        name=stage.value,
        now_ms=now_ms,
        total_bytes=total_bytes,
    )
    await db.run(QUERIES["touch_release"], id=release_id, now_ms=now_ms)


async def move(db: Session, release_id: str, stage: Stage, *, done_bytes: int) -> None:
    """The stage has done that many of its bytes."""
    await db.run(QUERIES["move_stage"], release_id=release_id, name=stage.value, done_bytes=done_bytes)


async def end(
    db: Session,
    release_id: str,
    stage: Stage,
    summary: str,
    *,
    now_ms: int,
    reasons: Sequence[str] = (),
    state: StageState = StageState.PASSED,
) -> None:
    """The stage is over; ``summary`` is its one line of outcome."""
    await db.run(
        QUERIES["end_stage"],
        release_id=release_id,
        name=stage.value,
        state=state.value,
        now_ms=now_ms,
        summary=summary,
        reasons=_text(reasons),
    )
    await db.run(QUERIES["touch_release"], id=release_id, now_ms=now_ms)


async def hold(
    db: Session, release_id: str, stage: Stage, summary: str, *, now_ms: int, reasons: Sequence[str] = ()
) -> None:
    """The stage waits for people."""
    await db.run(
        QUERIES["hold_stage"], release_id=release_id, name=stage.value, summary=summary, reasons=_text(reasons)
    )
    await db.run(QUERIES["touch_release"], id=release_id, now_ms=now_ms)


async def fail_open(db: Session, release_id: str, summary: str, *, now_ms: int, reasons: Sequence[str] = ()) -> None:
    """Whatever stage works or waits is over, and failed."""
    await db.run(
        QUERIES["fail_open_stages"], release_id=release_id, now_ms=now_ms, summary=summary, reasons=_text(reasons)
    )


def in_words(size_bytes: int) -> str:
    """A size as people read it: ``1.2 GB``, decimal as on the Hugging Face Hub."""
    size = float(size_bytes)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} bytes" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def count(number: int, noun: str) -> str:
    """``1 file``, ``2 files``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _text(reasons: Sequence[str]) -> str:
    return msgspec.json.encode(list(reasons)).decode()
