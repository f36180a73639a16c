"""The case on the desk: one release with its repo, author and files, and the statements and documents that it has.

    case = await read_case(db, release_id)
    inspection = await need_statement(db, case.id, Kind.INSPECTION)

Each step reads it anew, so that one that resumes after a crash sees what is true now.
"""

from __future__ import annotations

import hashlib

from msgspec import Struct

from weighbridge.accounts import Account, get_account
from weighbridge.errors import NotFound
from weighbridge.evidence.envelope import Envelope
from weighbridge.evidence.statement import Kind, Subject, Transition, transition_of
from weighbridge.hub.commit import Commit, find_commit
from weighbridge.hub.files import File, all_files
from weighbridge.hub.git import GITATTRIBUTES
from weighbridge.hub.naming import Repo, get_repo
from weighbridge.storage.database import Row, Session, load_queries

QUERIES = load_queries("weighbridge.release")
_MADE_BY_THE_HUB = hashlib.sha256(GITATTRIBUTES).hexdigest()


class Case(Struct, frozen=True, kw_only=True):
    """One release, as the tables have it now."""

    row: Row
    repo: Repo
    author: Account
    candidate: Commit
    files: list[File]
    authors: dict[str, str]  # account URI by account id, of who put it forward and of who pushed what is in it

    @property
    def id(self) -> str:
        """The release's id."""
        return self.row["id"]

    @property
    def subject(self) -> Subject:
        """What every statement about it is about."""
        return Subject(repo=self.repo.full_name, digest=self.row["digest"])

    @property
    def size_bytes(self) -> int:
        """Of all files."""
        return sum(file.size_bytes for file in self.files)

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Path and sha256 of each file."""
        return [(file.path, file.sha256) for file in self.files]

    @property
    def transition(self) -> Transition:
        """What is asked for: from nobody to the audiences wanted."""
        return transition_of("none", self.row["weights_wanted"], "none", self.row["inference_wanted"])


async def read_row(session: Session, release_id: str) -> Row:
    """The release's row.

    Raises:
        NotFound: no such release.
    """
    row = await session.one(QUERIES["release_by_id"], id=release_id)
    if row is None:
        raise NotFound(f"could not find release {release_id}")
    return row


async def read_case(session: Session, release_id: str) -> Case:
    """The release with its repo, author and files.

    Raises:
        NotFound: no such release, or its repo or commit is gone.
    """
    row = await read_row(session, release_id)
    repo = await get_repo(session, row["repo_id"])
    candidate = await find_commit(session, repo, row["candidate_oid"]) if repo else None
    if repo is None or candidate is None:
        raise NotFound(f"could not find the candidate of release {release_id}: its repo is gone")
    author = await get_account(session, row["author_id"])
    return Case(
        row=row,
        repo=repo,
        author=author,
        candidate=candidate,
        files=await all_files(session, candidate),
        authors={author.id: author.uri, **await _pushed_by(session, candidate)},
    )


async def put_statement(
    session: Session, case: Case, kind: Kind, envelope: Envelope, *, now_ms: int, who: str = ""
) -> None:
    """Keeps a statement; one that is kept already under the same key stays as it is."""
    await session.run(
        QUERIES["insert_statement"],
        id=envelope.id,
        release_id=case.id,
        kind=kind.value,
        dedup_key=statement_key(case.id, kind, who=who),
        envelope=envelope.text,
        now_ms=now_ms,
    )


def statement_key(release_id: str, kind: Kind, *, who: str = "") -> str:
    """What tells one statement from every other, in its table and in the log."""
    return f"{release_id}:{kind.value}:{who}" if who else f"{release_id}:{kind.value}"


async def find_statement(session: Session, release_id: str, kind: Kind, *, who: str = "") -> Envelope | None:
    """The statement of that kind, if it was made already."""
    row = await session.one(QUERIES["statement_by_key"], dedup_key=statement_key(release_id, kind, who=who))
    return Envelope(text=row["envelope"], id=row["id"]) if row else None


async def need_statement(session: Session, release_id: str, kind: Kind, *, who: str = "") -> Envelope:
    """The statement of that kind, which an earlier step made.

    Raises:
        NotFound: it did not.
    """
    envelope = await find_statement(session, release_id, kind, who=who)
    if envelope is None:
        raise NotFound(f"could not find the {kind.value} statement of release {release_id}")
    return envelope


async def put_document(session: Session, release_id: str, path: str, content: str) -> str:
    """Keeps a document of the release; gives its sha256."""
    sha256 = hashlib.sha256(content.encode()).hexdigest()
    await session.run(QUERIES["put_document"], release_id=release_id, path=path, sha256=sha256, content=content)
    return sha256


async def find_document(session: Session, release_id: str, path: str) -> str | None:
    """A document of the release, if it was made already."""
    row = await session.one(QUERIES["document_by_path"], release_id=release_id, path=path)
    return row["content"] if row else None


async def need_document(session: Session, release_id: str, path: str) -> str:
    """A document of the release, which an earlier step made.

    Raises:
        NotFound: it did not.
    """
    content = await find_document(session, release_id, path)
    if content is None:
        raise NotFound(f"could not find {path} of release {release_id}")
    return content


async def _pushed_by(session: Session, candidate: Commit) -> dict[str, str]:
    """Account URI by account id of who pushed the candidate, or, in an earlier commit, a file that is in it.

    Else a reviewer's own weights would count as somebody else's as soon as a colleague changed the README.
    """
    pusher = await get_account(session, candidate.author_id)
    rows = await session.all(
        QUERIES["authors_of_files"],
        repo_id=candidate.repo_id,
        commit_oid=candidate.oid,
        made_by_the_hub=_MADE_BY_THE_HUB,
    )
    return {pusher.id: pusher.uri, **{row["id"]: row["uri"] for row in rows}}
