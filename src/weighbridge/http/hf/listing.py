"""``GET /api/models`` and ``/api/datasets``: the repos that this reader sees, by pages."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from weighbridge.accounts import Reader
from weighbridge.bootstrap import Hub
from weighbridge.errors import InvalidInput
from weighbridge.http.auth import hub_of, reader_of
from weighbridge.http.hf.repo_json import RevisionParts, describe
from weighbridge.http.hf.tree import next_link
from weighbridge.http.json import answer
from weighbridge.http.query import Query
from weighbridge.hub.listing import ListedRepo, list_visible_repos
from weighbridge.hub.visible import CardOnly, Gated, Readable

PAGE = 100
MAX_PAGE = 1000
SORTS = {
    "lastModified": "lastModified",
    "last_modified": "lastModified",
    "createdAt": "createdAt",
    "created_at": "createdAt",
}
UNCOUNTED = frozenset({"downloads", "likes", "trendingScore", "trending_score"})
UNKNOWN_FILTERS = ("apps", "inference", "inference_provider", "num_parameters", "benchmark", "trained_dataset")


class RepoListing:
    """Lists repos of one type."""

    def __init__(self, parts: RevisionParts, repo_type: str) -> None:
        self._parts = parts
        self._type = repo_type

    async def __call__(self, request: Request) -> Response:
        """One page; the next by the Link header."""
        hub, query = hub_of(request), Query.of(request)
        reader = await reader_of(request)
        sort, headers = sort_of(query)
        gated = _gated_filter(query)
        page = await list_visible_repos(
            hub.db,
            reader,
            type=self._type,
            author=query.text("author"),
            search=query.text("search"),
            tags=tags_wanted(query),
            sort=sort,
            limit=query.number("limit", PAGE, least=1, most=MAX_PAGE),
            cursor=query.text("cursor"),
        )
        items = [await self._item(hub, listed, reader, query) for listed in page.repos]
        if page.next_cursor is not None:
            headers["Link"] = next_link(hub, request, query, cursor=page.next_cursor)
        return answer([item for item in items if gated is None or bool(item.get("gated")) == gated], headers=headers)

    async def _item(self, hub: Hub, listed: ListedRepo, reader: Reader, query: Query) -> dict[str, Any]:
        if not isinstance(listed.visible, Readable | Gated | CardOnly):
            return {
                "_id": listed.repo.id,
                "id": listed.repo.full_name,
                "author": listed.repo.namespace,
                "disabled": True,
            }
        return await describe(
            hub,
            listed.repo,
            listed.visible,
            reader,
            parts=self._parts,
            siblings=query.flag("full"),
            card=query.flag("cardData") or query.flag("full"),
            expand=frozenset(query.texts("expand")),
        )


def sort_of(query: Query) -> tuple[str, dict[str, str]]:
    """What to sort by, and the headers that say so where it is not what was asked.

    Raises:
        InvalidInput: nobody can sort by that.
    """
    asked = query.text("sort") or "lastModified"
    if asked in UNCOUNTED:
        warning = f"sort; This hub does not count {asked}; it sorts by lastModified instead."
        return "lastModified", {"X-HF-Warning": warning}
    if asked not in SORTS:
        raise InvalidInput(f"could not sort by {asked[:40]!r}: by lastModified or createdAt")
    return SORTS[asked], {}


def tags_wanted(query: Query) -> tuple[str, ...]:
    """The tags that every repo listed must have.

    Raises:
        InvalidInput: a filter that this hub cannot apply; unfiltered results would be a wrong answer.
    """
    unknown = next((name for name in UNKNOWN_FILTERS if query.text(name)), None)
    if unknown:
        raise InvalidInput(f"could not filter by {unknown}: this hub does not know it of its repos")
    tags = [tag for text in query.texts("filter") for tag in text.split(",") if tag]
    if query.text("pipeline_tag"):
        tags.append(query.text("pipeline_tag"))
    return tuple(dict.fromkeys(tags))


def _gated_filter(query: Query) -> bool | None:
    return query.flag("gated") if query.text("gated") else None
