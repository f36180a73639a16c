"""The bytes of a repo: who brought them, and what the hub measured on them while it took them in.

    await record_upload(tx, repo, account.id, sha256=sha256, git_oid=oid, size_bytes=5, is_text=True, now_ms=now)

The bytes themselves lie in ``storage.blobs``; these rows are the only ground on which somebody may name them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from weighbridge.errors import InvalidInput
from weighbridge.hub.naming import QUERIES, Repo
from weighbridge.hub.rows import all_in

if TYPE_CHECKING:
    from weighbridge.storage.database import Session

_SHA256 = re.compile(r"[0-9a-f]{64}")
_OID = re.compile(r"[0-9a-f]{40}")


class Uploaded(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that the hub holds and what it measured on them. ``git_oid``: their sha1 as a git blob."""

    sha256: str
    git_oid: str
    size_bytes: int
    is_text: bool


async def known_uploads(session: Session, repo: Repo, account_id: str, sha256s: Iterable[str]) -> dict[str, Uploaded]:
    """Of these digests, the ones that a writer of the repo brought to it or that lie in an author's commit of it."""
    rows = await all_in(session, QUERIES["known_uploads"], "sha256", sorted(set(sha256s)), repo_id=repo.id,
                        account_id=account_id)  # fmt: skip
    return {
        row["sha256"]: Uploaded(
            sha256=row["sha256"],
            git_oid=row["git_oid"],
            size_bytes=row["size_bytes"],
            is_text=bool(row["is_text"]),
        )
        for row in rows
    }


async def record_upload(
    session: Session,
    repo: Repo,
    account_id: str,
    *,
    sha256: str,
    git_oid: str,
    size_bytes: int,
    is_text: bool,
    now_ms: int,
) -> None:
    """Writes down that an account brought these bytes, complete and verified, to this repo. Twice is once.

    Raises: InvalidInput for what cannot be a digest or a size.
    """
    if not _SHA256.fullmatch(sha256) or not _OID.fullmatch(git_oid) or size_bytes < 0:
        raise InvalidInput("could not record the upload: its digest or its size is not one")
    await session.run(
        QUERIES["record_upload"],
        repo_id=repo.id,
        account_id=account_id,
        sha256=sha256,
        git_oid=git_oid,
        size_bytes=size_bytes,
        is_text=int(is_text),
        created_ms=now_ms,
    )
