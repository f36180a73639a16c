"""The rule that holds the house together: nobody reads a byte that a decision does not let them read.

    commit = await require_readable(db, repo, "main", reader)      # bytes
    repo, visible = await open_repo(db, "model", "acme/tiny", "main", reader)

Every read path asks ``visible_revision``. A *writer* is answered by refs and commit ids as they are, except that a
withdrawn release is withdrawn for a writer too; ``main`` is the tip, whatever became of its releases. *Anyone else* is
answered by releases alone: ``main`` is the newest release that is not hidden from them, and never falls back past a
gate or a withdrawal; another name or id is that of a candidate or of a release commit, and leads to the release commit.

A release shows itself on one of three grounds, tried in this order over all releases that are asked for:

1. the *dials*: weights within the reader's reach are Readable (or Gated); weights beyond it and inference within it are
   CardOnly; both beyond is nothing. An inference dial at ``gated`` shows the page to all, as a weights dial does.
2. a *review*: a reviewer reads the candidate, bytes included, while the release is running or waiting, and no longer.
3. an *audit*: an auditor sees of every release that it is there (CardOnly); evidence is served by the release API.

So a reviewer's or an auditor's ``main`` is what it is for others of their standing as long as that is anything.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from weighbridge.accounts import Account, Reader
from weighbridge.errors import GatedRepo, NotAllowed, NotAuthenticated, RepoNotFound, RevisionNotFound, WithdrawnRelease
from weighbridge.hub.audience import Audience
from weighbridge.hub.commit import Commit, commit_from
from weighbridge.hub.naming import QUERIES, Repo, find_repo
from weighbridge.hub.standing import Standing, standing_on
from weighbridge.hub.visible import (
    CardOnly,
    Gated,
    GateReason,
    Hidden,
    HiddenLevel,
    Outline,
    Readable,
    Visible,
    Withdrawn,
    outline_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from weighbridge.storage.database import Row, Session

__all__ = [
    "CardOnly",
    "GateReason",
    "Gated",
    "Hidden",
    "HiddenLevel",
    "Outline",
    "Readable",
    "Standing",
    "Visible",
    "Withdrawn",
    "judge",
    "listed",
    "newest_visible",
    "open_repo",
    "readable",
    "require_listed",
    "require_page",
    "require_readable",
    "require_writer",
    "standing_on",
    "visible_revision",
    "visible_to",
    "widest_dials",
]

DISABLED = "Access to this resource is disabled."
"""Clients know this exact text (huggingface_hub utils/_http.py: DisabledRepoError)."""
NO_REPO = "Repository not found"
EVERY_RELEASE = 2**62
_OID = re.compile(r"[0-9a-f]{40}")
_RELEASE = re.compile(r"refs/releases/([1-9][0-9]{0,17})")
_HIDDEN_REPO = Hidden(level=HiddenLevel.REPO)
_HIDDEN_REVISION = Hidden(level=HiddenLevel.REVISION)
_NOWHERE = Repo(
    id="", type="model", namespace_id="", namespace="", name="", policy=None, gated="false", wish="internal",
    created_by="", created_ms=0, updated_ms=0,
)  # fmt: skip


async def visible_revision(session: Session, repo: Repo, revision: str, reader: Reader) -> Visible:
    """How ``reader`` sees ``revision``: a branch, tag or commit id, refs/heads/…, refs/tags/…, refs/releases/N."""
    return await visible_to(session, repo, revision, await standing_on(session, repo, reader))


async def visible_to(session: Session, repo: Repo, revision: str, standing: Standing) -> Visible:
    """As ``visible_revision``, for a reader whose standing on the repo is known already."""
    if standing.writer:
        return await _for_writer(session, repo, revision)
    if revision in ("main", "refs/heads/main"):
        return await newest_visible(session, repo, standing) or _HIDDEN_REPO
    rows = await _releases_named(session, repo, revision)
    found = pick(rows, repo, standing)
    if found is not None:
        return found
    exists = await newest_visible(session, repo, standing) is not None
    return _HIDDEN_REVISION if exists else _HIDDEN_REPO


async def newest_visible(session: Session, repo: Repo, standing: Standing) -> Visible | None:
    """What ``main`` is for who is not a writer; None when no release is open to them."""
    rows = await _newest(session, repo, standing, most=1)
    found = pick(rows, repo, standing)
    if found is None and (standing.reviewer or standing.auditor):
        found = pick(await all_releases(session, repo, standing), repo, standing)
    return found


async def all_releases(session: Session, repo: Repo, standing: Standing, *, highest: int = EVERY_RELEASE) -> list[Row]:
    """The rows of every release that may show itself to this standing, newest first."""
    return await _newest(session, repo, standing, most=EVERY_RELEASE, highest=highest, audits=True)


def pick(rows: Iterable[Row], repo: Repo, standing: Standing) -> Visible | None:
    """The first of ``rows`` that is not hidden, by the dials; else by a review; else by an audit."""
    releases = list(rows)
    for ground in (_by_dials, _by_review, _by_audit):
        for row in releases:
            found = ground(row, repo, standing)
            if found is not None:
                return found
    return None


def judge(row: Row, repo: Repo, standing: Standing) -> Visible | None:
    """How one release shows itself; None when it is hidden."""
    return pick((row,), repo, standing)


async def require_page(session: Session, repo: Repo, revision: str, reader: Reader) -> Visible:
    """How the reader sees it, for pages and infos. Raises: RepoNotFound, RevisionNotFound."""
    return _shown(await visible_revision(session, repo, revision, reader), revision)


async def require_listed(session: Session, repo: Repo, revision: str, reader: Reader) -> Commit:
    """The commit whose names and sizes the reader may see.

    Raises: RepoNotFound, RevisionNotFound, WithdrawnRelease, NotAllowed when only the card is open.
    """
    return listed(await require_page(session, repo, revision, reader), repo)


async def require_readable(session: Session, repo: Repo, revision: str, reader: Reader) -> Commit:
    """The commit whose bytes the reader may have. Raises: as ``require_listed``, and GatedRepo."""
    return readable(await require_page(session, repo, revision, reader), repo)


def listed(visible: Visible, repo: Repo) -> Commit:
    """The commit of what is Readable or Gated. Raises: WithdrawnRelease, NotAllowed, RepoNotFound."""
    if isinstance(visible, Readable | Gated):
        return visible.revision
    if isinstance(visible, Withdrawn):
        raise WithdrawnRelease(DISABLED, advisory=visible.advisory, hint="The advisory says why and since when.")
    if isinstance(visible, CardOnly):
        raise NotAllowed(
            f"The weights of {repo.full_name} are not open to you, its hosted inference is.",
            hint=f"Use it through this hub's inference API as {repo.full_name!r}; its page says how.",
        )
    raise RepoNotFound(NO_REPO)


def readable(visible: Visible, repo: Repo) -> Commit:
    """The commit of what is Readable. Raises: as ``listed``, and GatedRepo."""
    if not isinstance(visible, Gated):
        return listed(visible, repo)
    page = f"Ask for it on the page of {repo.full_name}."
    texts = {
        GateReason.ANONYMOUS: ("You must have access to it and be authenticated to access it. Please log in.", page),
        GateReason.NOT_ASKED: ("You need to ask for access and be let in.", page),
        GateReason.PENDING: ("Your request for access is awaiting a review by its authors.", "Wait for their answer."),
        GateReason.REJECTED: (
            "Your request for access was rejected by its authors.",
            "Ask its authors for the reason.",
        ),
    }
    text, hint = texts[visible.reason]
    raise GatedRepo(f"Access to {repo.type} {repo.full_name} is restricted. {text}", hint=hint)


async def open_repo(
    session: Session,
    type: str,  # noqa: A002
    full_name: str,
    revision: str,
    reader: Reader,
) -> tuple[Repo, Visible]:
    """A repo by name and how the reader sees ``revision``. Raises: RepoNotFound, RevisionNotFound.

    An absent repo costs the same questions as a hidden one, so that the time taken tells little.
    """
    repo = await find_repo(session, type, full_name)
    visible = await visible_revision(session, repo or _NOWHERE, revision, reader)
    if repo is None:
        raise RepoNotFound(NO_REPO)
    return repo, _shown(visible, revision)


async def require_writer(session: Session, repo: Repo, reader: Reader, *, scope: str = "write") -> Account:
    """The account, when it may write to the repo with this token.

    Raises: RepoNotFound when it may not even know of the repo, NotAllowed, NotAuthenticated.
    """
    standing = await standing_on(session, repo, reader)
    account = reader.account_for(repo.id)
    if standing.writer and account is not None:
        if not reader.may(scope):
            raise NotAllowed(f"could not change {repo.full_name}: this token lacks the scope {scope!r}",
                             hint=f"Use a token with the scope {scope!r}.")  # fmt: skip
        return account
    if isinstance(await visible_to(session, repo, "main", standing), Hidden):
        raise RepoNotFound(NO_REPO)
    if account is None:
        raise NotAuthenticated(f"could not change {repo.full_name}: it needs a login")
    raise NotAllowed(f"could not change {repo.full_name}: it takes the role write or admin in it",
                     hint="Ask an admin of its namespace for the role.")  # fmt: skip


async def widest_dials(session: Session, repo: Repo) -> tuple[Audience, Audience]:
    """How far the weights and the inference of any release are open now: for a writer's view of a repo as a whole."""
    rows = await session.all(QUERIES["dials_out"], repo_id=repo.id)
    weights = max((Audience(row["weights"]) for row in rows), key=lambda dial: dial.rank, default=Audience.NONE)
    inference = max((Audience(row["inference"]) for row in rows), key=lambda dial: dial.rank, default=Audience.NONE)
    return weights, inference


def names_of(revision: str) -> tuple[str, str]:
    """The two refs that a name may mean, the first one preferred: a branch, then a tag."""
    if revision.startswith("refs/"):
        return revision, revision
    return f"refs/heads/{revision}", f"refs/tags/{revision}"


def _shown(visible: Visible, revision: str) -> Visible:
    if isinstance(visible, Hidden):
        if visible.level is HiddenLevel.REPO:
            raise RepoNotFound(NO_REPO)
        raise RevisionNotFound(f"Invalid rev id: {revision[:200]}")
    return visible


async def _for_writer(session: Session, repo: Repo, revision: str) -> Visible:
    row = None
    if _OID.fullmatch(revision):
        row = await session.one(QUERIES["writer_commit"], repo_id=repo.id, oid=revision)
    if row is None:
        name, other_name = names_of(revision)
        row = await session.one(QUERIES["writer_ref"], repo_id=repo.id, name=name, other_name=other_name)
    if row is None:
        return _HIDDEN_REVISION
    return writer_view(row, repo)


def writer_view(row: Row, repo: Repo) -> Readable | Withdrawn:
    """How a writer sees the commit of a row, which names the release that the commit is, if any."""
    if row["number"] is None:
        return _readable(row, number=None)
    return _withdrawn(row, repo) if row["advisory_id"] else _readable(row, number=row["number"])


async def _releases_named(session: Session, repo: Repo, revision: str) -> list[Row]:
    """The releases that a reader means by ``revision``, newest first."""
    number = _RELEASE.fullmatch(revision)
    if number:
        return await session.all(QUERIES["release_by_number"], repo_id=repo.id, number=int(number[1]))
    if _OID.fullmatch(revision):
        return await session.all(QUERIES["releases_of_commit"], repo_id=repo.id, oid=revision)
    for name in dict.fromkeys(names_of(revision)):
        ref = await session.one(QUERIES["ref_by_name"], repo_id=repo.id, name=name)
        if ref:
            return await session.all(QUERIES["releases_of_commit"], repo_id=repo.id, oid=ref["oid"])
    return []


async def _newest(
    session: Session, repo: Repo, standing: Standing, *, most: int, highest: int = EVERY_RELEASE, audits: bool = False
) -> list[Row]:
    return await session.all(
        QUERIES["newest_releases"],
        repo_id=repo.id,
        highest=highest,
        sees_partners=int(standing.partner or standing.internal),
        sees_internal=int(standing.internal),
        reviews=int(audits and standing.reviewer),
        audits=int(audits and standing.auditor),
        most=most,
    )


def _by_dials(row: Row, repo: Repo, standing: Standing) -> Visible | None:
    weights, inference = Audience(row["weights"]), Audience(row["inference"])
    if row["commit_oid"] is None or not (standing.within(weights) or standing.within(inference)):
        return None
    if row["advisory_id"]:
        return _withdrawn(row, repo)
    if standing.reads(weights):
        return _readable(row, number=row["number"])
    if standing.within(weights):
        return Gated(revision=commit_from(row), release_number=row["number"], weights=weights, inference=inference,
                     reason=_gate_reason(standing))  # fmt: skip
    return _card_only(row)


def _by_review(row: Row, repo: Repo, standing: Standing) -> Visible | None:
    if not standing.reviewer or row["release_state"] not in ("running", "waiting"):
        return None
    if row["advisory_id"]:
        return _withdrawn(row, repo)
    return _readable({**row, "parent_oid": None}, number=row["number"])  # the candidate's history is not under review


def _by_audit(row: Row, repo: Repo, standing: Standing) -> Visible | None:
    if not standing.auditor:
        return None
    return _withdrawn(row, repo) if row["advisory_id"] else _card_only(row)


def _readable(row: Row, *, number: int | None) -> Readable:
    return Readable(
        revision=commit_from(row),
        release_number=number,
        weights=Audience(row["weights"] or Audience.NONE),
        inference=Audience(row["inference"] or Audience.NONE),
    )


def _card_only(row: Row) -> CardOnly:
    return CardOnly(
        revision=outline_of(commit_from(row)),
        release_number=row["number"],
        weights=Audience(row["weights"]),
        inference=Audience(row["inference"]),
    )


def _withdrawn(row: Row, repo: Repo) -> Withdrawn:
    at = datetime.fromtimestamp(row["withdrawn_ms"] / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    advisory: dict[str, object] = {
        "id": row["advisory_id"],
        "modified": at,
        "published": at,
        "summary": f"Release {row['number']} of {repo.full_name} was withdrawn",
        "details": row["reason"],
        "affected": [
            {"package": {"ecosystem": "Weighbridge", "name": repo.full_name}, "versions": [str(row["number"])]}
        ],
    }
    outline = outline_of(commit_from(row), withdrawn=True)
    return Withdrawn(advisory=advisory, revision=outline, release_number=row["number"])


def _gate_reason(standing: Standing) -> GateReason:
    if not standing.known:
        return GateReason.ANONYMOUS
    return {"pending": GateReason.PENDING, "rejected": GateReason.REJECTED}.get(standing.request, GateReason.NOT_ASKED)
