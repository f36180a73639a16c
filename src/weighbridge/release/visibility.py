"""The repo settings of the Hugging Face API as turns of the dials: public asks for a transition, private closes.

    await open_tip(db, blobs, queue, repo, reader, hub_policy="open", now_ms=clock())
    await close_releases(db, repo, reader, weights="internal", inference="internal", now_ms=clock())

Closing needs no decision: nobody is shown more than before.
"""

from __future__ import annotations

import asyncio

from weighbridge.accounts import Reader
from weighbridge.errors import InvalidInput, Refused
from weighbridge.hub.access import Readable, require_writer, visible_revision
from weighbridge.hub.files import all_files
from weighbridge.hub.naming import Repo
from weighbridge.oversight.event import append_event
from weighbridge.release.candidate import Wish, WishedFile, put_forward
from weighbridge.release.names import ReleaseState, rank
from weighbridge.release.queue import ReleaseQueue
from weighbridge.release.view import release_view
from weighbridge.storage.blobs import BlobStore
from weighbridge.storage.database import Database, Row, Session, in_transaction, load_queries

QUERIES = load_queries("weighbridge.release")
WAIT_S = 30.0
POLL_S = 0.1


async def open_tip(
    db: Database, blobs: BlobStore, queue: ReleaseQueue, repo: Repo, reader: Reader, *, hub_policy: str, now_ms: int
) -> Row:
    """The release of what ``main`` holds, to everybody (to those let in, if the repo is gated), once it is out.

    Returns while it still runs if that takes over half a minute.

    Raises:
        Refused: the policy says no, or waits for approvals; ``missing`` says for what.
        InvalidInput: there is nothing on ``main``.
        NotAllowed, NotAuthenticated, RepoNotFound: the reader may not write this repo.
    """
    await require_writer(db, repo, reader)
    tip = await visible_revision(db, repo, "main", reader)
    if not isinstance(tip, Readable):
        raise InvalidInput(f"could not open {repo.full_name}: there is nothing on main")
    files = [
        WishedFile(path=file.path, sha256=file.sha256, size_bytes=file.size_bytes)
        for file in await all_files(db, tip.revision)
    ]
    wish = Wish(files=files, weights="public" if repo.gated == "false" else "gated", inference="public")
    placed = await put_forward(db, blobs, repo, reader, wish, hub_policy=hub_policy, now_ms=now_ms)
    await queue.release(placed.row["id"])
    row = await _decided(db, placed.row)
    if row["state"] not in (ReleaseState.RUNNING, ReleaseState.RELEASED):
        view = await release_view(db, repo, row, reader, public_url="")
        raise Refused(
            f"could not open {repo.full_name}: release {row['number']} is {row['state']}"
            f"{f' ({view.problem})' if view.problem else ''}",
            missing=tuple(one.title for one in view.missing),
            hint="; ".join(one.remedy for one in view.missing) or "Look at the release's page.",
        )
    return row


async def close_releases(db: Database, repo: Repo, reader: Reader, *, weights: str, inference: str, now_ms: int) -> int:
    """Number of releases whose dials stood higher, and now stand at most at ``weights`` and ``inference``.

    Raises:
        InvalidInput: no such audience.
        NotAllowed, NotAuthenticated, RepoNotFound: the reader may not write this repo.
    """
    actor = await require_writer(db, repo, reader)
    most = {"weights": weights, "inference": inference}
    for audience in most.values():
        rank(audience)  # refuses one that does not exist, also when no release is out

    async def work(tx: Session) -> int:
        turned = 0
        for row in await tx.all(QUERIES["open_releases"], repo_id=repo.id):
            lower = {dial: _lower(row[dial], audience) for dial, audience in most.items()}
            if any(lower[dial] != row[dial] for dial in lower):
                await _turn(tx, row, lower, actor_id=actor.id, now_ms=now_ms)
                turned += 1
        return turned

    return await in_transaction(db, work)


async def _turn(tx: Session, row: Row, lower: dict[str, str], *, actor_id: str, now_ms: int) -> None:
    turns = await tx.all(QUERIES["dial_changes_of_release"], release_id=row["id"])
    await tx.run(
        QUERIES["insert_dial_change"],
        release_id=row["id"],
        position=len(turns) + 1,
        weights_from=row["weights"],
        weights_to=lower["weights"],
        inference_from=row["inference"],
        inference_to=lower["inference"],
        decision_id=None,
        actor_id=actor_id,
        now_ms=now_ms,
    )
    await tx.run(QUERIES["turn_release"], id=row["id"], **lower, now_ms=now_ms)
    await append_event(
        tx,
        "release:close",
        actor_id=actor_id,
        repo_id=row["repo_id"],
        release_id=row["id"],
        detail={**lower},
        now_ms=now_ms,
    )


async def _decided(db: Database, row: Row) -> Row:
    for _ in range(int(WAIT_S / POLL_S)):
        fresh = await db.one(QUERIES["release_by_id"], id=row["id"])
        if fresh is not None and fresh["state"] != ReleaseState.RUNNING:
            return fresh
        await asyncio.sleep(POLL_S)
    return row


def _lower(now: str, most: str) -> str:
    return now if rank(now) <= rank(most) else most
