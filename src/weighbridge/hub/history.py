"""History and refs as a reader sees them: a writer the branch's commits, anyone else the releases open to them.

commits = await visible_history(db, repo, "main", reader)
refs = await visible_refs(db, repo, reader)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from weighbridge.errors import RepoNotFound
from weighbridge.hub.access import (
    NO_REPO,
    all_releases,
    judge,
    newest_visible,
    pick,
    require_page,
)
from weighbridge.hub.commit import Commit, commit_from
from weighbridge.hub.naming import QUERIES, Repo
from weighbridge.hub.standing import Standing, standing_on
from weighbridge.hub.visible import CardOnly, Gated, Hidden, Outline, Readable, Visible, Withdrawn

if TYPE_CHECKING:
    from weighbridge.accounts import Reader
    from weighbridge.storage.database import Row, Session

MAX_DEPTH = 1_000_000


class Ref(msgspec.Struct, frozen=True, kw_only=True):
    """A ref: short ``name`` (main, v1, 3), full ``ref`` (refs/heads/main), and the commit that the reader sees."""

    name: str
    ref: str
    oid: str


class Refs(msgspec.Struct, frozen=True, kw_only=True):
    """The refs of a repo, each kind by name; releases by number."""

    branches: list[Ref]
    tags: list[Ref]
    releases: list[Ref]


async def visible_history(
    session: Session, repo: Repo, revision: str, reader: Reader, *, limit: int = 50, skip: int = 0
) -> list[Commit | Outline]:
    """Commits, newest first, from ``revision`` on: for a writer its ancestors, else the releases up to it.

    Raises: RepoNotFound, RevisionNotFound.
    """
    visible = await require_page(session, repo, revision, reader)
    standing = await standing_on(session, repo, reader)
    if standing.writer:
        if not isinstance(visible, Readable):
            return [_shown(visible)][skip : skip + limit]
        rows = await session.all(QUERIES["ancestors"], repo_id=repo.id, oid=visible.revision.oid,
                                 deepest=min(skip + limit - 1, MAX_DEPTH), skip=skip)  # fmt: skip
        return [commit_from(row) for row in rows]
    number = 0 if isinstance(visible, Hidden) else visible.release_number or 0
    rows = await all_releases(session, repo, standing, highest=number)
    seen = [judge(row, repo, standing) for row in rows]
    return [_shown(item) for item in seen if item is not None][skip : skip + limit]


async def visible_refs(session: Session, repo: Repo, reader: Reader) -> Refs:
    """The branches, tags and releases that exist for the reader, each at the commit that the reader sees there.

    Raises: RepoNotFound.
    """
    standing = await standing_on(session, repo, reader)
    rows = await session.all(QUERIES["refs"], repo_id=repo.id)
    if not standing.writer:
        rows = await _for_readers(session, repo, standing, rows)
    branches, tags, releases = (_refs(rows, prefix) for prefix in ("refs/heads/", "refs/tags/", "refs/releases/"))
    return Refs(branches=branches, tags=tags, releases=sorted(releases, key=lambda ref: int(ref.name)))


async def _for_readers(session: Session, repo: Repo, standing: Standing, rows: list[Row]) -> list[Row]:
    """The refs of candidates and releases, at the release commits that are open; ``main`` at what it is for them."""
    main = await newest_visible(session, repo, standing)
    if main is None:
        raise RepoNotFound(NO_REPO)
    of_commit: dict[str, list[Row]] = {}
    releases: list[Row] = []
    for row in await all_releases(session, repo, standing):
        for oid in {row["candidate_oid"], row["commit_oid"]}:
            of_commit.setdefault(oid, []).append(row)
        visible = judge(row, repo, standing)
        if visible is not None:
            releases.append({"name": f"refs/releases/{row['number']}", "oid": _shown(visible).oid})
    others: list[Row] = []
    for row in rows:
        visible = pick(of_commit.get(row["oid"], []), repo, standing)
        if visible is not None and row["name"] != "refs/heads/main" and not row["name"].startswith("refs/releases/"):
            others.append({"name": row["name"], "oid": _shown(visible).oid})
    return [{"name": "refs/heads/main", "oid": _shown(main).oid}, *others, *releases]


def _refs(rows: list[Row], prefix: str) -> list[Ref]:
    return [
        Ref(name=row["name"].removeprefix(prefix), ref=row["name"], oid=row["oid"])
        for row in rows
        if row["name"].startswith(prefix)
    ]


def _shown(visible: Visible) -> Commit | Outline:
    if isinstance(visible, Readable | Gated | CardOnly | Withdrawn):
        return visible.revision
    raise RepoNotFound(NO_REPO)
