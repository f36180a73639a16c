"""Commits: a candidate on an author's branch, a release on ``refs/releases/N``. Ids are git's.

    async with db.transaction() as tx:
        commit = await create_author_commit(tx, repo, files, message="Tiny, first", author=alice, now_ms=now,
                                            texts={"README.md": readme})

A commit's rows are the whole revision, so reading one never walks a history.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

import msgspec

from weighbridge.accounts import Account
from weighbridge.errors import (
    Conflict,
    DigestMismatch,
    EntryNotFound,
    InvalidInput,
    PreconditionFailed,
    RevisionNotFound,
    TooLarge,
    UnprocessableFile,
)
from weighbridge.hub import git
from weighbridge.hub.blob import known_uploads
from weighbridge.hub.card import MAX_README_BYTES, front_matter
from weighbridge.hub.naming import QUERIES, Repo
from weighbridge.hub.paths import check_hub_path, check_paths, check_together
from weighbridge.hub.rows import insert_all
from weighbridge.oversight.event import append_event

if TYPE_CHECKING:
    from weighbridge.storage.database import Row, Session

MAX_ATTRIBUTES_BYTES = 64 * 1024
MAX_MESSAGE_CHARACTERS = 64 * 1024
STALE = "The branch was updated since you opened this page. Please refresh and try again."
"""Clients show this text, and some look for it (huggingface_hub specs/hub-api.md section 2)."""


class NewFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a revision to be. ``git_oid``: sha1 of its bytes as a git blob; ``is_text``: UTF-8 without NUL."""

    path: str
    sha256: str
    size_bytes: int
    git_oid: str
    is_text: bool


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """A revision. ``author`` is a name, ``committed_ms`` whole seconds, ``card_json`` the README's front matter."""

    repo_id: str
    oid: str
    tree_oid: str
    parent_oid: str | None
    kind: str
    title: str
    message: str
    author_id: str
    author: str
    committed_ms: int
    file_count: int
    size_bytes: int
    card_json: str

    @property
    def card(self) -> dict[str, object]:
        """The README's front matter; empty when there is none."""
        return cast("dict[str, object]", msgspec.json.decode(self.card_json))


def commit_from(row: Row) -> Commit:
    """The struct of a row that holds a commit's columns under their own names, among others."""
    return Commit(
        repo_id=row["repo_id"],
        oid=row["oid"],
        tree_oid=row["tree_oid"],
        parent_oid=row["parent_oid"],
        kind=row["kind"],
        title=row["title"],
        message=row["message"],
        author_id=row["author_id"],
        author=row["author"],
        committed_ms=row["committed_ms"],
        file_count=row["file_count"],
        size_bytes=row["size_bytes"],
        card_json=row["card"],
    )


async def find_commit(session: Session, repo: Repo, oid: str) -> Commit | None:
    """A commit by its id, whoever asks: for workers and for what checked already. None when there is none."""
    row = await session.one(QUERIES["commit_by_oid"], repo_id=repo.id, oid=oid)
    return commit_from(row) if row else None


def texts_needed(files: Sequence[NewFile]) -> list[NewFile]:
    """The files whose bytes ``create_author_commit`` needs: README.md (the card) and .gitattributes (what is LFS)."""
    return [
        file
        for file in files
        if (file.path == "README.md" and file.is_text and file.size_bytes <= MAX_README_BYTES)
        or file.path == ".gitattributes"
    ]


async def create_author_commit(
    tx: Session,
    repo: Repo,
    files: Sequence[NewFile],
    *,
    message: str,
    author: Account,
    now_ms: int,
    texts: Mapping[str, bytes],
    branch: str = "main",
    expected_parent: str | None = None,
) -> Commit:
    """The commit of exactly these files on ``branch``; its tip when that has the same tree already.

    ``texts``: the bytes of the files that ``texts_needed`` names. Whether ``author`` may write is the caller's to
    check; that each file was brought by ``author`` or lies in this repo already is checked here.
    Raises: UnprocessableFile (paths), EntryNotFound (bytes that are not there), DigestMismatch, RevisionNotFound
    (branch), PreconditionFailed (the branch is not at ``expected_parent``).
    """
    check_paths(file.path for file in files)
    attributes = _check_texts(files, texts)
    await _check_bytes(tx, repo, files, author)
    tip = await tx.one(QUERIES["ref_by_name"], repo_id=repo.id, name=f"refs/heads/{branch}")
    if tip is None and branch != "main":
        raise RevisionNotFound(f"Invalid rev id: {branch}")
    parent = await find_commit(tx, repo, tip["oid"]) if tip else None
    entries = _entries(files, git.LfsPatterns(attributes))
    trees = git.root_tree({entry["path"]: entry["oid"] for entry in entries})
    if parent is not None and parent.tree_oid == trees.oid:
        return parent
    if expected_parent is not None and (parent is None or parent.oid != expected_parent):
        raise PreconditionFailed(STALE)
    card = front_matter(texts.get("README.md", b""))
    commit = _new_commit(repo, trees.oid, entries, parent_oid=parent.oid if parent else None, kind="author",
                         message=message, author=author, now_ms=now_ms, card_json=_json(card))  # fmt: skip
    await _insert(tx, commit, attributes)
    await insert_all(tx, QUERIES["insert_file"], _rows(commit, entries, trees.folders))
    await _set_ref(tx, commit, f"refs/heads/{branch}", now_ms)
    await append_event(tx, "commit:create", actor_id=author.id, repo_id=repo.id, now_ms=now_ms,
                       detail={"commit": commit.oid, "branch": branch})  # fmt: skip
    return commit


async def create_release_commit(
    tx: Session,
    repo: Repo,
    candidate_oid: str,
    extra: Sequence[NewFile],
    *,
    number: int,
    author: Account,
    now_ms: int,
    message: str | None = None,
) -> Commit:
    """The commit without parent of a candidate's files and ``extra``, on ``refs/releases/<number>``.

    Made again with the same files, it is the commit that is there. It is seen by nobody new until a dial turns.
    Raises: RevisionNotFound (candidate), UnprocessableFile (a path that a release may not add), Conflict (the number is
    taken by other files).
    """
    candidate = await find_commit(tx, repo, candidate_oid)
    if candidate is None or candidate.kind != "author":
        raise RevisionNotFound(f"Invalid rev id: {candidate_oid}")
    for file in extra:
        check_hub_path(file.path)
    check_together(file.path for file in extra)
    attributes = await _attributes(tx, candidate)
    added = _entries(extra, git.LfsPatterns(attributes))
    kept = await tx.all(QUERIES["all_files"], repo_id=repo.id, commit_oid=candidate.oid)
    trees = git.root_tree({entry["path"]: entry["oid"] for entry in [*kept, *added]})
    name = f"refs/releases/{number}"
    taken = await tx.one(QUERIES["ref_by_name"], repo_id=repo.id, name=name)
    if taken:
        return await _same_release(tx, repo, taken["oid"], trees.oid)
    commit = _new_commit(repo, trees.oid, [*kept, *added], parent_oid=None, kind="release",
                         message=message or f"Release {number}", author=author, now_ms=now_ms,
                         card_json=candidate.card_json)  # fmt: skip
    await _insert(tx, commit, attributes)
    await tx.run(QUERIES["copy_files"], repo_id=repo.id, from_oid=candidate.oid, to_oid=commit.oid)
    added_folders = {path: oid for path, oid in trees.folders.items() if path.partition("/")[0] in _tops(added)}
    await insert_all(tx, QUERIES["insert_file"], _rows(commit, added, added_folders))
    await _set_ref(tx, commit, name, now_ms)
    await append_event(tx, "release:commit", actor_id=author.id, repo_id=repo.id, now_ms=now_ms,
                       detail={"commit": commit.oid, "candidate": candidate.oid, "number": number})  # fmt: skip
    return commit


async def _same_release(tx: Session, repo: Repo, oid: str, tree_oid: str) -> Commit:
    there = await find_commit(tx, repo, oid)
    if there is None or there.tree_oid != tree_oid:
        raise Conflict("could not make the release commit: its number names other files already")
    return there


async def _attributes(tx: Session, commit: Commit) -> str:
    row = await tx.one(QUERIES["commit_attributes"], repo_id=commit.repo_id, oid=commit.oid)
    return row["attributes"] if row else ""


def _check_texts(files: Sequence[NewFile], texts: Mapping[str, bytes]) -> str:
    """The text of .gitattributes, empty when there is none."""
    for file in texts_needed(files):
        if file.path == ".gitattributes" and not (file.is_text and file.size_bytes <= MAX_ATTRIBUTES_BYTES):
            raise UnprocessableFile("could not use .gitattributes: it is not text of at most 64 KiB")
        if file.path not in texts:
            raise InvalidInput(f"could not commit: the bytes of {file.path} were not passed in texts")
        if hashlib.sha256(texts[file.path]).hexdigest() != file.sha256:
            raise DigestMismatch(f"could not commit: the bytes passed for {file.path} are not those of its sha256")
    return texts.get(".gitattributes", b"").decode()


async def _check_bytes(tx: Session, repo: Repo, files: Sequence[NewFile], author: Account) -> None:
    """What the client says of a file must be what the hub measured when it took the bytes in."""
    known = await known_uploads(tx, repo, author.id, (file.sha256 for file in files))
    for file in files:
        there = known.get(file.sha256)
        if there is None:
            raise EntryNotFound(
                f"could not commit {file.path}: its bytes were not uploaded to this repo",
                hint="Upload the file first; `weighbridge release` and the Hugging Face clients do it by themselves.",
            )
        if (there.size_bytes, there.git_oid, there.is_text) != (file.size_bytes, file.git_oid, file.is_text):
            raise DigestMismatch(f"could not commit {file.path}: its size or git id is not that of the uploaded bytes")


def _entries(files: Sequence[NewFile], patterns: git.LfsPatterns) -> list[Row]:
    entries: list[Row] = []
    for file in files:
        is_lfs = not file.is_text or file.size_bytes > git.LFS_TEXT_BYTES or patterns.matches(file.path)
        pointer = git.lfs_pointer(file.sha256, file.size_bytes) if is_lfs else b""
        entries.append(
            {
                "path": file.path,
                "kind": "lfs" if is_lfs else "file",
                "oid": git.blob_oid(pointer) if is_lfs else file.git_oid,
                "sha256": file.sha256,
                "size_bytes": file.size_bytes,
                "pointer_size_bytes": len(pointer),
            }
        )
    return entries


def _new_commit(
    repo: Repo,
    tree_oid: str,
    entries: Sequence[Row],
    *,
    parent_oid: str | None,
    kind: str,
    message: str,
    author: Account,
    now_ms: int,
    card_json: str,
) -> Commit:
    title, body = _split_message(message)
    return Commit(
        repo_id=repo.id,
        oid=git.commit_object(
            tree_oid, parent_oid=parent_oid, name=author.name, at_s=now_ms // 1000, message=_joined(title, body)
        )[0],
        tree_oid=tree_oid,
        parent_oid=parent_oid,
        kind=kind,
        title=title,
        message=body,
        author_id=author.id,
        author=author.name,
        committed_ms=now_ms // 1000 * 1000,
        file_count=len(entries),
        size_bytes=sum(entry["size_bytes"] for entry in entries),
        card_json=card_json,
    )


async def _insert(tx: Session, commit: Commit, attributes: str) -> None:
    row = {**msgspec.structs.asdict(commit), "attributes": attributes}
    row["card"] = row.pop("card_json")
    name = row.pop("author")
    row["object"] = git.commit_object(
        commit.tree_oid,
        parent_oid=commit.parent_oid,
        name=name,
        at_s=commit.committed_ms // 1000,
        message=_joined(commit.title, commit.message),
    )[1]
    await tx.run(QUERIES["insert_commit"], **row)


async def _set_ref(tx: Session, commit: Commit, name: str, now_ms: int) -> None:
    await tx.run(QUERIES["set_ref"], repo_id=commit.repo_id, name=name, oid=commit.oid, message=None, now_ms=now_ms)
    await tx.run(QUERIES["touch_repo"], id=commit.repo_id, now_ms=now_ms)


def _rows(commit: Commit, entries: Sequence[Row], folders: Mapping[str, str]) -> list[Row]:
    empty: Row = {"kind": "directory", "sha256": "", "size_bytes": 0, "pointer_size_bytes": 0}
    own: list[Row] = [*entries, *({**empty, "path": path, "oid": oid} for path, oid in folders.items())]
    place = {"repo_id": commit.repo_id, "commit_oid": commit.oid}
    return [{**entry, **place, "folder": entry["path"].rpartition("/")[0]} for entry in own]


def _tops(entries: Sequence[Row]) -> set[str]:
    return {entry["path"].partition("/")[0] for entry in entries}


def _split_message(message: str) -> tuple[str, str]:
    if len(message) > MAX_MESSAGE_CHARACTERS:
        raise TooLarge("could not commit: the message is longer than 65,536 characters")
    clean = message.replace("\0", "").replace("\r\n", "\n").encode("utf-8", "replace").decode()
    title, _, body = clean.strip().partition("\n")
    return title.strip() or "Update", body.strip()


def _joined(title: str, body: str) -> str:
    return f"{title}\n\n{body}" if body else title


def _json(card: dict[str, object]) -> str:
    return msgspec.json.encode(card).decode()
