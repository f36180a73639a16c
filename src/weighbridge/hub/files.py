"""The files of a revision that a reader may list: every function takes a ``Commit`` that ``access`` gave out.

commit = await require_listed(db, repo, "main", reader)
page = await list_tree(db, commit, folder="onnx")
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from weighbridge.errors import EntryNotFound
from weighbridge.hub.commit import Commit
from weighbridge.hub.naming import QUERIES
from weighbridge.hub.rows import all_in

if TYPE_CHECKING:
    from weighbridge.hub.visible import Outline
    from weighbridge.storage.database import Row, Session

CARD = "README.md"


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A file or a folder. ``kind``: file | lfs | directory; ``oid`` is git's, of the pointer for an LFS file."""

    path: str
    kind: str
    oid: str
    sha256: str
    size_bytes: int
    pointer_size_bytes: int


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Part of a listing. ``next_after`` is the ``after`` of the next page; None on the last."""

    files: list[File]
    next_after: str | None


async def list_tree(
    session: Session, commit: Commit, *, folder: str = "", recursive: bool = False, after: str = "", limit: int = 1000
) -> Page:
    """Entries of a folder by path, folders among them: its own, or with ``recursive`` everything below it.

    Raises: EntryNotFound when there is no such folder.
    """
    folder = folder.strip("/")
    where = {"repo_id": commit.repo_id, "commit_oid": commit.oid, "after": after, "most": limit + 1}
    if recursive:
        prefix = f"{folder}/" if folder else ""
        rows = await session.all(QUERIES["tree_files"], **where, prefix=prefix, prefix_characters=len(prefix))
    else:
        rows = await session.all(QUERIES["folder_files"], **where, folder=folder)
    if not rows and folder and not after:
        raise EntryNotFound(f"{folder} does not exist on this revision")
    files = [File(**row) for row in rows[:limit]]
    return Page(files=files, next_after=files[-1].path if len(rows) > limit else None)


async def all_files(session: Session, commit: Commit) -> list[File]:
    """Every file by path, without the folders."""
    rows = await session.all(QUERIES["all_files"], repo_id=commit.repo_id, commit_oid=commit.oid)
    return [File(**row) for row in rows]


async def paths_info(session: Session, commit: Commit, paths: Iterable[str]) -> list[File]:
    """The files and folders among ``paths`` that exist, in the order asked; each once."""
    wanted = list(dict.fromkeys(path.strip("/") for path in paths))
    rows = await all_in(session, QUERIES["files_by_path"], "path", wanted, repo_id=commit.repo_id,
                        commit_oid=commit.oid)  # fmt: skip
    found: dict[str, Row] = {row["path"]: row for row in rows}
    return [File(**found[path]) for path in wanted if path in found]


async def find_file(session: Session, commit: Commit, path: str) -> File:
    """One file. Raises: EntryNotFound when there is none, or it is a folder."""
    file = await _by_path(session, commit, path)
    if file is None or file.kind == "directory":
        raise EntryNotFound(f"{path[:1024]} does not exist on this revision")
    return file


async def card_file(session: Session, revision: Commit | Outline) -> File | None:
    """README.md, which whoever sees the page may read even where no other file is shown; None when there is none.

    Never of a withdrawn release: its outline says so.
    """
    if not isinstance(revision, Commit) and revision.withdrawn:
        return None
    file = await _by_path(session, revision, CARD)
    return file if file and file.kind != "directory" else None


async def _by_path(session: Session, revision: Commit | Outline, path: str) -> File | None:
    row = await session.one(QUERIES["file_by_path"], repo_id=revision.repo_id, commit_oid=revision.oid, path=path)
    return File(**row) if row else None
