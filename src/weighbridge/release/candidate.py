"""Putting forward: the author's commit, its release digest, and the row that the workflow then carries to its end.

    placed = await put_forward(db, blobs, repo, reader, wish, hub_policy="open", now_ms=clock())
    if placed.created: await queue.release(placed.row["id"])

One transaction: either commit, release and event are there, or nothing is.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from weighbridge.accounts import Account, Reader
from weighbridge.errors import EntryNotFound, InvalidInput, UnprocessableFile
from weighbridge.evidence.sums import release_digest, sha256sums
from weighbridge.hub.access import require_writer
from weighbridge.hub.commit import Commit, NewFile, create_author_commit, texts_needed
from weighbridge.hub.naming import Repo
from weighbridge.hub.paths import check_paths
from weighbridge.hub.upload import have
from weighbridge.oversight.event import append_event
from weighbridge.policy import Policy
from weighbridge.release.names import Stage, rank
from weighbridge.release.policies import policy_of
from weighbridge.release.stages import begin, count, end, in_words
from weighbridge.storage.blobs import BlobStore
from weighbridge.storage.database import Database, Row, Session, in_transaction, load_queries

QUERIES = load_queries("weighbridge.release")
MAX_MESSAGE_CHARS = 10_000
MAX_TEXT_BYTES = 1 << 20
"""Of a README.md or .gitattributes that is read whole, into the memory of the web process."""
DEFAULT_MESSAGE = "Release with weighbridge"


class WishedFile(Struct, frozen=True, kw_only=True):
    """One file of the candidate, whose bytes were sent before."""

    path: str
    sha256: str
    size_bytes: int


class Wish(Struct, frozen=True, kw_only=True):
    """What somebody asks to release, for whom. ``policy``: a stricter one than the repo's, by name or as its text."""

    files: list[WishedFile]
    weights: str = "public"
    inference: str | None = None
    message: str = ""
    policy: str | None = None


class Placed(Struct, frozen=True, kw_only=True):
    """The release's row; ``created`` is False when the same was put forward before."""

    row: Row
    created: bool


async def put_forward(
    db: Database, blobs: BlobStore, repo: Repo, reader: Reader, wish: Wish, *, hub_policy: str, now_ms: int
) -> Placed:
    """The release of these files to these audiences, new or the same that is under way or out.

    Raises:
        NotAllowed, NotAuthenticated, RepoNotFound: the reader may not write this repo.
        InvalidInput: no files, no such audience, no such policy.
        UnprocessableFile: a path breaks a rule, or a size is not that of the bytes.
        EntryNotFound: bytes that this writer did not send and may not read.
        Refused: the policy asked for is looser than the repo's.
    """
    author = await require_writer(db, repo, reader)
    dials = _check_dials(wish)
    files = await _check_files(db, repo, reader, wish)
    policy = await policy_of(db, repo, asked=wish.policy, hub_policy=hub_policy)
    texts = {file.path: await blobs.read(file.sha256) for file in _short_texts(files)}
    message = wish.message.strip()[:MAX_MESSAGE_CHARS] or DEFAULT_MESSAGE

    async def work(tx: Session) -> Placed:
        commit = await create_author_commit(tx, repo, files, message=message, author=author, now_ms=now_ms, texts=texts)
        row = _row(repo, commit, files, author=author, dials=dials, policy=policy)
        same = await tx.one(
            QUERIES["same_release"],
            **{key: row[key] for key in ("repo_id", "digest", "candidate_oid", "policy_sha256")},
            weights=dials[0],
            inference=dials[1],
        )
        if same is not None:
            return Placed(row=same, created=False)
        return Placed(row=await _insert(tx, row, files, now_ms=now_ms), created=True)

    return await in_transaction(db, work)


def _check_dials(wish: Wish) -> tuple[str, str]:
    inference = wish.inference or wish.weights
    if rank(wish.weights) == 0 and rank(inference) == 0:
        raise InvalidInput(
            "could not put this forward: both dials are 'none', so nobody could use it",
            hint="Name an audience with --weights or --inference.",
        )
    return wish.weights, inference


async def _check_files(db: Session, repo: Repo, reader: Reader, wish: Wish) -> list[NewFile]:
    if not wish.files:
        raise InvalidInput("could not put this forward: it has no files")
    check_paths([file.path for file in wish.files])
    known = await have(db, repo, reader, sorted({file.sha256 for file in wish.files}))
    files: list[NewFile] = []
    for file in wish.files:
        blob = known.get(file.sha256)
        if blob is None:
            raise EntryNotFound(
                f"could not put {file.path} forward: its bytes (sha256 {file.sha256[:64]}) were not sent to this repo",
                hint="Run `weighbridge release` again: it sends what is missing.",
            )
        if blob.size_bytes != file.size_bytes:
            raise UnprocessableFile(
                f"could not put {file.path} forward: said to have {file.size_bytes} bytes, its digest names"
                f" {blob.size_bytes}"
            )
        files.append(
            NewFile(
                path=file.path,
                sha256=file.sha256,
                size_bytes=file.size_bytes,
                git_oid=blob.git_oid,
                is_text=blob.is_text,
            )
        )
    return files


def _short_texts(files: Sequence[NewFile]) -> list[NewFile]:
    """The files that the commit needs to read; refuses a long one before it is in memory."""
    needed = texts_needed(files)
    for file in needed:
        if file.size_bytes > MAX_TEXT_BYTES:
            raise UnprocessableFile(
                f"could not use {file.path}: it has {file.size_bytes} bytes, at most {MAX_TEXT_BYTES} are read"
            )
    return needed


def _row(
    repo: Repo, commit: Commit, files: Sequence[NewFile], *, author: Account, dials: tuple[str, str], policy: Policy
) -> Row:
    digest = release_digest(sha256sums([(file.path, file.sha256) for file in files]))
    return {
        "id": secrets.token_hex(16),
        "repo_id": repo.id,
        "candidate_oid": commit.oid,
        "digest": digest,
        "author_id": author.id,
        "weights_wanted": dials[0],
        "inference_wanted": dials[1],
        "policy": policy.name,
        "policy_sha256": policy.sha256,
        "policy_text": policy.text,
    }


async def _insert(tx: Session, row: Row, files: Sequence[NewFile], *, now_ms: int) -> Row:
    newest = await tx.one(QUERIES["newest_number"], repo_id=row["repo_id"])
    number = (newest["number"] if newest else 0) + 1
    await tx.run(QUERIES["insert_release"], **row, number=number, now_ms=now_ms)
    size_bytes = sum(file.size_bytes for file in files)
    await begin(tx, row["id"], Stage.RECEIVE, now_ms=now_ms, total_bytes=size_bytes)
    summary = f"{count(len(files), 'file')}, {in_words(size_bytes)}, release digest {row['digest'][:12]}"
    await end(tx, row["id"], Stage.RECEIVE, summary, now_ms=now_ms)
    await append_event(
        tx,
        "release:put-forward",
        actor_id=row["author_id"],
        repo_id=row["repo_id"],
        release_id=row["id"],
        detail={"number": number, "digest": row["digest"], "weights": row["weights_wanted"],
                "inference": row["inference_wanted"], "policy": row["policy"]},
        now_ms=now_ms,
    )  # fmt: skip
    inserted = await tx.one(QUERIES["release_by_id"], id=row["id"])
    if inserted is None:  # pragma: no cover - inserted four statements above, in the same transaction
        raise msgspec.ValidationError("could not read back the release")
    return inserted
