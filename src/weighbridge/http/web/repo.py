"""The pages of a repo: its card, its files, its releases. Each shows what ``visible_revision`` shows its reader."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from weighbridge.accounts import Reader
from weighbridge.errors import NotFound
from weighbridge.http.auth import hub_of, reader_of
from weighbridge.http.web.card import MAX_CARD_BYTES, body_of, render_card
from weighbridge.http.web.shelf import card_text, card_words, repo_path, visible_look
from weighbridge.http.web.site import page
from weighbridge.http.web.words import Look, release_look, rfc3339
from weighbridge.hub.access import CardOnly, Gated, Hidden, Readable, Visible, Withdrawn, standing_on, visible_revision
from weighbridge.hub.files import all_files, card_file
from weighbridge.hub.gate import ask_access
from weighbridge.hub.paths import is_reserved
from weighbridge.hub.repo import Repo, find_repo
from weighbridge.release.view import ReleaseView, find_release, list_releases, release_view

FACTS = {
    "License": "license",
    "Task": "pipeline_tag",
    "Library": "library_name",
    "Language": "language",
    "Base model": "base_model",
}
Endpoint = Callable[[Request], Awaitable[Response]]
MAX_TAGS = 20
SHOWN_RELEASES = 50


class RepoName(msgspec.Struct, frozen=True, kw_only=True):
    """What templates need of a repo."""

    type: str
    namespace: str
    name: str
    full_name: str
    path: str


class ListedFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a listing."""

    path: str
    size_bytes: int
    href: str


class Opened(NamedTuple):
    """A repo that this reader knows of, and what they see of it."""

    repo: Repo
    name: RepoName
    visible: Visible
    reader: Reader


async def open_known_repo(request: Request, *, revision: str = "main") -> Opened:
    """The repo that the path names. ``visible`` is Hidden where the repo is known and nothing of it is open yet.

    Raises:
        NotFound: there is none, or this reader may not know of it.
    """
    hub, reader = hub_of(request), await reader_of(request)
    kind = "dataset" if request.scope["path"].startswith("/datasets/") else "model"
    full_name = f"{request.path_params['ns']}/{request.path_params['name']}"
    repo = await find_repo(hub.db, kind, full_name)
    visible = None if repo is None else await visible_revision(hub.db, repo, revision, reader)
    if repo is None or visible is None or (isinstance(visible, Hidden) and visible.level == "repo"):
        raise NotFound(f"could not find {full_name}")
    name = RepoName(
        type=repo.type,
        namespace=repo.namespace,
        name=repo.name,
        full_name=repo.full_name,
        path=repo_path(repo.type, repo.full_name),
    )
    return Opened(repo, name, visible, reader)


async def repo_page(request: Request) -> Response:
    """The card, the facts, the files as far as they are open, and how to use and check it."""
    opened = await open_known_repo(request)
    hub, visible = hub_of(request), opened.visible
    rows = await list_releases(hub.db, opened.repo, opened.reader, limit=SHOWN_RELEASES)
    release = await _release(request, opened)
    context: dict[str, Any] = await _head(request, opened) | {
        "release_count": len(rows),
        "release": release,
        "approvers": approvers(release) if release else [],
        "linked": True,
        "wanted": release.wanted if release else None,
        "pending": _pending(rows, visible),
        "standing": await _standing(request, opened),
        "advisory": _advisory(visible),
        **await _revision(request, opened),
    }
    return page(request, opened.reader, "repo.html", **context)


async def ask_page(request: Request) -> Response:
    """Asks for access to gated weights, for who is logged in, and goes back to the page that says how that stands."""
    opened = await open_known_repo(request)
    hub = hub_of(request)
    await ask_access(hub.db, opened.repo, opened.reader, now_ms=hub.clock())
    return RedirectResponse(opened.name.path, status_code=303, headers={"Cache-Control": "no-store"})


async def files_page(request: Request) -> Response:
    """Every file of one revision, as far as names and sizes are open."""
    opened = await open_known_repo(request, revision=request.path_params["revision"])
    if not isinstance(opened.visible, Readable | Gated):
        raise NotFound("could not list the files: they are not open")
    context: dict[str, Any] = await _head(request, opened) | {
        "release_count": 0,
        "revision": opened.visible.revision.oid,
    }
    return page(request, opened.reader, "files.html", **context)


async def releases_page(request: Request) -> Response:
    """The releases that this reader may know of."""
    opened = await open_known_repo(request)
    hub = hub_of(request)
    rows = await list_releases(hub.db, opened.repo, opened.reader, limit=SHOWN_RELEASES)
    url = hub.settings.public_url
    views = [await release_view(hub.db, opened.repo, row, opened.reader, public_url=url) for row in rows]
    context: dict[str, Any] = await _head(request, opened) | {"release_count": len(views), "releases": views}
    return page(request, opened.reader, "releases.html", **context)


def approvers(release: ReleaseView) -> list[str]:
    """Who said yes."""
    return [approval.account for approval in release.approvals if approval.verdict == "approve"]


def routes() -> list[Route]:
    """Pages of a model at ``/ns/name``, of a dataset at ``/datasets/ns/name``."""
    pages: dict[str, Endpoint] = {"": repo_page, "/tree/{revision:path}": files_page, "/releases": releases_page}
    prefixes = [f"{prefix}/{{ns}}/{{name}}" for prefix in ("/datasets", "")]
    shown = [Route(prefix + suffix, endpoint) for prefix in prefixes for suffix, endpoint in pages.items()]
    return shown + [Route(f"{prefix}/access", ask_page, methods=["POST"]) for prefix in prefixes]


async def _head(request: Request, opened: Opened) -> dict[str, Any]:
    files = await _files(request, opened)
    return {
        "repo": opened.name,
        "look": visible_look(opened.visible),
        "files": files,
        "own_files": [file for file in files or () if not is_reserved(file.path)],
        "proof_files": [file for file in files or () if is_reserved(file.path)],
        "gated": isinstance(opened.visible, Gated),
        "gate": str(opened.visible.reason) if isinstance(opened.visible, Gated) else "",
    }


async def _files(request: Request, opened: Opened) -> list[ListedFile] | None:
    if not isinstance(opened.visible, Readable | Gated):
        return None
    base = f"{opened.name.path}/resolve/{opened.visible.revision.oid}/"
    return [
        ListedFile(path=file.path, size_bytes=file.size_bytes, href=base + quote(file.path))
        for file in await all_files(hub_of(request).db, opened.visible.revision)
    ]


async def _revision(request: Request, opened: Opened) -> dict[str, Any]:
    """What the page says of the visible revision; of a hidden one nothing."""
    visible = opened.visible
    if isinstance(visible, Hidden):
        return {"card_html": "", "facts": [], "tags": [], "revision": "", "changed_at": rfc3339(opened.repo.created_ms)}
    card = {} if isinstance(visible, Withdrawn) else visible.revision.card
    return {
        "card_html": "" if isinstance(visible, Withdrawn) else await _card(request, opened, visible),
        "facts": [(title, text) for title, key in FACTS.items() if (text := card_text(card, key))],
        "tags": card_words(card, "tags")[:MAX_TAGS],
        "revision": visible.revision.oid,
        "changed_at": rfc3339(visible.revision.committed_ms),
    }


async def _card(request: Request, opened: Opened, visible: Readable | Gated | CardOnly) -> str:
    hub = hub_of(request)
    file = await card_file(hub.db, visible.revision)
    if file is None:
        return ""
    raw = await hub.blobs.read(file.sha256, end=min(file.size_bytes, MAX_CARD_BYTES))
    base = f"{opened.name.path}/resolve/{visible.revision.oid}/"
    # Off the loop: a card of the longest kind takes seconds, and anybody may have written it.
    return await asyncio.to_thread(render_card, body_of(raw.decode("utf-8", "replace")), base=base)


async def _release(request: Request, opened: Opened) -> ReleaseView | None:
    number = None if isinstance(opened.visible, Hidden) else opened.visible.release_number
    if number is None:
        return None
    hub = hub_of(request)
    try:
        row = await find_release(hub.db, opened.repo, number, opened.reader)
    except NotFound:
        return None
    return await release_view(hub.db, opened.repo, row, opened.reader, public_url=hub.settings.public_url)


async def _standing(request: Request, opened: Opened) -> str:
    """What the page says about what it shows: tip | open | gated | card | withdrawn | unreleased."""
    match opened.visible:
        case Readable(release_number=None):
            standing = await standing_on(hub_of(request).db, opened.repo, opened.reader)
            return "tip" if standing.writer else "open"
        case Readable():
            return "open"
        case Gated():
            return "gated"
        case CardOnly():
            return "card"
        case Withdrawn():
            return "withdrawn"
        case Hidden():
            return "unreleased"


class Pending(NamedTuple):
    """A release newer than the one that the page shows."""

    number: int
    look: Look
    sentence: str


_PENDING_SENTENCES = {
    "running": "Its stages are at work.",
    "waiting": "It waits for approvals; until they are in, nothing of it is open.",
    "refused": "It was refused, and nothing of it is open.",
    "failed": "It failed, and nothing of it is open.",
}


def _pending(rows: list[dict[str, Any]], visible: Visible) -> Pending | None:
    """The newest release, if it is not out and newer than what the page shows."""
    shown = 0 if isinstance(visible, Hidden) else visible.release_number or 0
    for row in rows[:1]:
        if row["number"] > shown and row["state"] in _PENDING_SENTENCES:
            return Pending(row["number"], release_look(row["state"]), _PENDING_SENTENCES[row["state"]])
    return None


def _advisory(visible: Visible) -> dict[str, Any]:
    """An advisory (OSV form) as the page shows it."""
    if not isinstance(visible, Withdrawn):
        return {}
    advisory = visible.advisory
    return {
        "id": advisory.get("id", ""),
        "summary": advisory.get("summary", "This release was withdrawn"),
        "details": advisory.get("details", ""),
        "at": advisory.get("published") or advisory.get("modified"),
    }
