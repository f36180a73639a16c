"""Files of a revision: ``tree`` (paged) and ``paths-info``."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from weighbridge.accounts import Reader
from weighbridge.bootstrap import Hub
from weighbridge.errors import InvalidInput, TooLarge
from weighbridge.http.hf.names import open_call
from weighbridge.http.hf.routing import RepoCall, printable
from weighbridge.http.hf.times import rfc3339
from weighbridge.http.json import answer, read_body, read_json
from weighbridge.http.query import Query, parse_pairs
from weighbridge.hub.access import listed
from weighbridge.hub.commit import Commit
from weighbridge.hub.files import File, list_tree, paths_info
from weighbridge.hub.history import visible_history
from weighbridge.hub.repo import Repo

PAGE = 1000
EXPANDED_PAGE = 50
MAX_PATHS = 1000
MAX_PATHS_BYTES = 4 << 20
MAX_HISTORY = 30
"""How many commits back a file's last change is looked for; older changes are left out rather than guessed."""


class PathsWish(msgspec.Struct, frozen=True, kw_only=True):
    """``paths-info`` in JSON, as the JavaScript client sends it."""

    paths: list[str]
    expand: bool = False


async def tree(call: RepoCall) -> Response:
    """``GET …/tree/{rev}[/{folder}]``: one page of files and folders; the next by the Link header."""
    query = Query.of(call.request)
    expand, recursive = query.flag("expand"), query.flag("recursive")
    page_size = EXPANDED_PAGE if expand else PAGE
    repo, commit, reader = await open_listed(call)
    page = await list_tree(
        call.hub.db,
        commit,
        folder="/".join(call.rest[1:]).strip("/"),
        recursive=recursive,
        after=query.text("cursor"),
        limit=query.number("limit", page_size, least=1, most=page_size),
    )
    items = [tree_item(file) for file in page.files]
    if expand:
        await _add_last_commits(call.hub, repo, reader, commit, page.files, items)
    headers = {"X-Repo-Commit": commit.oid}
    if page.next_after is not None:
        headers["Link"] = next_link(call.hub, call.request, query, cursor=page.next_after)
    return answer(items, headers=headers)


async def info_of_paths(call: RepoCall) -> Response:
    """``POST …/paths-info/{rev}``: the files and folders named that exist; the others are left out."""
    wish = await _read_paths(call.request)
    if len(wish.paths) > MAX_PATHS:
        raise TooLarge(f"could not look up {len(wish.paths)} paths: {MAX_PATHS} at most in one call")
    repo, commit, reader = await open_listed(call)
    files = await paths_info(call.hub.db, commit, list(dict.fromkeys(path.strip("/") for path in wish.paths)))
    items = [tree_item(file) for file in files]
    if wish.expand:
        await _add_last_commits(call.hub, repo, reader, commit, files, items)
    return answer(items, headers={"X-Repo-Commit": commit.oid})


async def open_listed(call: RepoCall) -> tuple[Repo, Commit, Reader]:
    """Repo, revision and reader of a call whose path goes on with a revision, when names and sizes may be seen.

    Raises:
        RepoNotFound, RevisionNotFound, WithdrawnRelease, NotAllowed: as ``hub.access.listed`` says.
    """
    repo, visible, reader = await open_call(call, revision_of(call))
    return repo, listed(visible, repo), reader


def revision_of(call: RepoCall) -> str:
    """The revision: the first segment after the verb.

    Raises:
        InvalidInput: there is none.
    """
    if not call.rest or not call.rest[0]:
        raise InvalidInput("could not answer: the path names no revision")
    return call.rest[0]


def tree_item(file: File) -> dict[str, Any]:
    """A file or folder as ``tree`` and ``paths-info`` give it."""
    if file.kind == "directory":
        return {"type": "directory", "oid": file.oid, "size": 0, "path": file.path}
    item: dict[str, Any] = {"type": "file", "oid": file.oid, "size": file.size_bytes, "path": file.path}
    if file.kind == "lfs":
        item["lfs"] = {"oid": file.sha256, "size": file.size_bytes, "pointerSize": file.pointer_size_bytes}
    return item


def next_link(hub: Hub, request: Request, query: Query, **changes: str) -> str:
    """The Link header to the next page: this request's own URL on the public base, with ``changes`` to its query."""
    raw: bytes = request.scope["raw_path"]
    pairs = [(name, value) for name, value in query.pairs if name not in changes] + list(changes.items())
    path = quote(raw.decode("latin-1"), safe="/%:@!$&'()*+,;=-._~")
    return f'<{hub.settings.public_url}{path}?{urlencode(pairs)}>; rel="next"'


async def _read_paths(request: Request) -> PathsWish:
    if request.headers.get("content-type", "").startswith("application/json"):
        wish = await read_json(request, PathsWish, max_bytes=MAX_PATHS_BYTES)
        return PathsWish(paths=[printable(path) for path in wish.paths], expand=wish.expand)
    fields = Query(parse_pairs(await read_body(request, max_bytes=MAX_PATHS_BYTES)))
    return PathsWish(paths=fields.texts("paths"), expand=fields.flag("expand"))


async def _add_last_commits(
    hub: Hub, repo: Repo, reader: Reader, commit: Commit, files: list[File], items: list[dict[str, Any]]
) -> None:
    """Sets ``lastCommit``: the newest commit, of those that this reader sees, since which a path is what it is."""
    open_items = {file.path: (file.oid, item) for file, item in zip(files, items, strict=True)}
    newest = commit
    for older in await visible_history(hub.db, repo, commit.oid, reader, limit=MAX_HISTORY, skip=1):
        if not isinstance(older, Commit) or newest.parent_oid != older.oid or not open_items:
            break
        before = {file.path: file.oid for file in await paths_info(hub.db, older, list(open_items))}
        for path, (oid, item) in list(open_items.items()):
            if before.get(path) != oid:
                item["lastCommit"] = _commit_brief(newest)
                del open_items[path]
        newest = older
    if newest.parent_oid is None:
        for _, item in open_items.values():
            item["lastCommit"] = _commit_brief(newest)


def _commit_brief(commit: Commit) -> dict[str, str]:
    return {"id": commit.oid, "title": commit.title, "date": rfc3339(commit.committed_ms)}
