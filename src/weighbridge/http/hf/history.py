"""``refs`` and ``commits`` of a repo, as far as the reader sees them."""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import Any

from starlette.responses import Response

from weighbridge.http.hf.names import open_call
from weighbridge.http.hf.routing import RepoCall
from weighbridge.http.hf.times import rfc3339
from weighbridge.http.hf.tree import next_link, revision_of
from weighbridge.http.json import answer
from weighbridge.http.query import Query
from weighbridge.hub.commit import Commit
from weighbridge.hub.history import Ref, visible_history, visible_refs
from weighbridge.hub.visible import Outline

PAGE = 50
MAX_PAGE = 1000
MAX_PAGES = 1_000_000


async def refs(call: RepoCall) -> Response:
    """``GET …/refs``. ``releases`` is our own addition; clients ignore it."""
    repo, _, reader = await open_call(call, None)
    found = await visible_refs(call.hub.db, repo, reader)
    body: dict[str, Any] = {
        "branches": _refs_json(found.branches),
        "converts": [],
        "tags": _refs_json(found.tags),
        "releases": _refs_json(found.releases),
    }
    if Query.of(call.request).flag("include_prs"):
        body["pullRequests"] = []
    return answer(body)


async def commits(call: RepoCall) -> Response:
    """``GET …/commits/{rev}?p=&limit=``, newest first."""
    query = Query.of(call.request)
    revision = revision_of(call)
    page = query.number("p", 0, most=MAX_PAGES)
    limit = query.number("limit", PAGE, least=1, most=MAX_PAGE)
    repo, _, reader = await open_call(call, revision)
    found = await visible_history(call.hub.db, repo, revision, reader, limit=limit + 1, skip=page * limit)
    formatted = "formatted" in query.texts("expand")
    headers: dict[str, str] = {}
    if len(found) > limit:
        headers["Link"] = next_link(call.hub, call.request, query, p=str(page + 1), limit=str(limit))
    return answer([_commit_json(commit, formatted=formatted) for commit in found[:limit]], headers=headers)


def _refs_json(found: Iterable[Ref]) -> list[dict[str, str]]:
    return [{"name": ref.name, "ref": ref.ref, "targetCommit": ref.oid} for ref in found]


def _commit_json(commit: Commit | Outline, *, formatted: bool) -> dict[str, Any]:
    message = commit.message if isinstance(commit, Commit) else ""
    item: dict[str, Any] = {
        "id": commit.oid,
        "title": commit.title,
        "message": message,
        "authors": [{"user": commit.author}],
        "date": rfc3339(commit.committed_ms),
    }
    if formatted:
        item["formatted"] = {"title": html.escape(commit.title), "message": html.escape(message)}
    return item
