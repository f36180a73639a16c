"""Branches and tags: made, removed, protected. ``refs/releases/N`` is the workflow's alone.

await create_tag(db, repo, reader, "v1", revision="main", now_ms=clock())
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from weighbridge.errors import Conflict, InvalidInput, NotAllowed, RevisionNotFound
from weighbridge.hub.access import require_writer, visible_revision
from weighbridge.hub.naming import QUERIES, Repo
from weighbridge.hub.visible import Readable
from weighbridge.oversight.event import append_event
from weighbridge.storage.database import in_transaction

if TYPE_CHECKING:
    from weighbridge.accounts import Reader
    from weighbridge.storage.database import Database, Session

MAX_REF_CHARACTERS = 200
_BAD = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(?:/|$)")


def check_ref_name(name: str, *, what: str) -> str:
    """``name`` itself, when a branch or tag may be called so (git check-ref-format, and not like a commit id).

    Raises: InvalidInput.
    """
    refused = (
        not name
        or len(name) > MAX_REF_CHARACTERS
        or _BAD.search(name)
        or name[0] in "/.-"
        or name[-1] in "/."
        or name == "@"
        or name.startswith("refs/")
        or re.fullmatch(r"[0-9a-fA-F]{7,64}", name)
    )
    if refused:
        raise InvalidInput(f"Invalid reference for a {what}: {name[:MAX_REF_CHARACTERS]!r}")
    return name


async def create_branch(
    db: Database, repo: Repo, reader: Reader, name: str, *, now_ms: int, start: str = "main"
) -> str:
    """The commit id at which the new branch starts.

    Raises: InvalidInput, Conflict when it exists, RevisionNotFound for ``start``, and as ``require_writer``.
    """
    return await _create(db, repo, reader, "refs/heads/", check_ref_name(name, what="branch"), revision=start,
                         message=None, now_ms=now_ms)  # fmt: skip


async def create_tag(
    db: Database,
    repo: Repo,
    reader: Reader,
    name: str,
    *,
    now_ms: int,
    revision: str = "main",
    message: str | None = None,
) -> str:
    """The commit id that the new tag names. Raises: as ``create_branch``."""
    return await _create(db, repo, reader, "refs/tags/", check_ref_name(name, what="tag"), revision=revision,
                         message=message, now_ms=now_ms)  # fmt: skip


async def delete_branch(db: Database, repo: Repo, reader: Reader, name: str, *, now_ms: int) -> None:
    """Removes a branch; its commits stay. Raises: NotAllowed for main, RevisionNotFound, and as ``require_writer``."""
    if name == "main":
        await require_writer(db, repo, reader)
        raise NotAllowed("Cannot delete refs/heads/main")
    await _delete(db, repo, reader, f"refs/heads/{name}", now_ms=now_ms)


async def delete_tag(db: Database, repo: Repo, reader: Reader, name: str, *, now_ms: int) -> None:
    """Removes a tag. Raises: Conflict for a tag of a release, RevisionNotFound, and as ``require_writer``."""
    await _delete(db, repo, reader, f"refs/tags/{name}", now_ms=now_ms)


async def _create(
    db: Database, repo: Repo, reader: Reader, prefix: str, name: str, *, revision: str, message: str | None, now_ms: int
) -> str:
    actor = await require_writer(db, repo, reader)
    ref = prefix + name

    async def work(tx: Session) -> str:
        if await tx.one(QUERIES["ref_by_name"], repo_id=repo.id, name=ref):
            raise Conflict(f"Reference {ref} already exists")
        target = await visible_revision(tx, repo, revision, reader)
        if not isinstance(target, Readable):
            raise RevisionNotFound(f"Invalid rev id: {revision[:200]}")
        oid = target.revision.oid
        text = message[:1000] if message else None
        await tx.run(QUERIES["set_ref"], repo_id=repo.id, name=ref, oid=oid, message=text, now_ms=now_ms)
        await append_event(tx, "ref:create", actor_id=actor.id, repo_id=repo.id, now_ms=now_ms,
                           detail={"ref": ref, "commit": oid})  # fmt: skip
        return oid

    return await in_transaction(db, work)


async def _delete(db: Database, repo: Repo, reader: Reader, ref: str, *, now_ms: int) -> None:
    actor = await require_writer(db, repo, reader)

    async def work(tx: Session) -> None:
        row = await tx.one(QUERIES["ref_by_name"], repo_id=repo.id, name=ref)
        if row is None:
            raise RevisionNotFound(f"Invalid rev id: {ref[:200]}")
        if ref.startswith("refs/tags/"):
            await _refuse_pinned(tx, repo, ref, row["oid"])
        await tx.run(QUERIES["delete_ref"], repo_id=repo.id, name=ref)
        await append_event(tx, "ref:delete", actor_id=actor.id, repo_id=repo.id, now_ms=now_ms,
                           detail={"ref": ref, "commit": row["oid"]})  # fmt: skip

    await in_transaction(db, work)


async def _refuse_pinned(tx: Session, repo: Repo, ref: str, oid: str) -> None:
    """A tag that names a release stays: its name could come back on other files."""
    row = await tx.one(QUERIES["pinning_release"], repo_id=repo.id, oid=oid)
    if row:
        raise Conflict(f"could not delete {ref}: it names release {row['number']}, which is out",
                       hint="A released commit keeps its tags, so that none comes back on other files.")  # fmt: skip
