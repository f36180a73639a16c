"""Repos by name. Finding one says nothing about who may know of it: ask ``access`` next.

repo = await find_repo(db, "model", "Acme/Tiny")
"""

from __future__ import annotations

import msgspec

from weighbridge.storage.database import Row, Session, load_queries

QUERIES = load_queries("weighbridge.hub")
TYPES = ("model", "dataset")


class Repo(msgspec.Struct, frozen=True, kw_only=True):
    """A repo's row. ``deleted_ms`` set: a tombstone, kept because releases of it were out."""

    id: str
    type: str
    namespace_id: str
    namespace: str
    name: str
    policy: str | None
    gated: str
    wish: str
    created_by: str
    created_ms: int
    updated_ms: int
    deleted_ms: int | None = None

    @property
    def full_name(self) -> str:
        """``namespace/name`` as it was written at creation."""
        return f"{self.namespace}/{self.name}"


async def find_repo(session: Session, type: str, full_name: str) -> Repo | None:  # noqa: A002
    """The repo of that name, in any case; also the tombstone of one whose releases were out; None if there is none."""
    row = await session.one(QUERIES["repo_by_name"], type=type, full_name_key=full_name.lower())
    return Repo(**row) if row else None


async def get_repo(session: Session, repo_id: str) -> Repo | None:
    """The repo of that id, deleted or not."""
    row = await session.one(QUERIES["repo_by_id"], id=repo_id)
    return Repo(**row) if row else None


def repo_from_listing(row: Row) -> Repo:
    """The repo of a row of ``visible_repos``, whose columns share the row with a commit's."""
    return Repo(
        id=row["p_id"],
        type=row["p_type"],
        namespace_id=row["namespace_id"],
        namespace=row["namespace"],
        name=row["p_name"],
        policy=row["policy"],
        gated=row["gated"],
        wish=row["wish"],
        created_by=row["created_by"],
        created_ms=row["created_ms"],
        updated_ms=row["updated_ms"],
        deleted_ms=row["deleted_ms"],
    )
