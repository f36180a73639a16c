"""Making, deleting and setting up repos, and ``auth-check``, as the Hugging Face clients ask for them."""

from __future__ import annotations

from typing import Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from weighbridge.bootstrap import Hub
from weighbridge.errors import Conflict, InvalidInput, RepoNotFound
from weighbridge.http.auth import hub_of, reader_of, require_scope
from weighbridge.http.errors import NotImplementedHere, RepoExists
from weighbridge.http.hf.names import find_repo_for, find_repo_for_writer, open_call
from weighbridge.http.hf.routing import RepoCall, no_such_repo, printable
from weighbridge.http.hf.visibility import ask_gate, ask_visibility
from weighbridge.http.json import answer, read_json
from weighbridge.hub.access import readable
from weighbridge.hub.repo import Repo, create_repo, delete_repo

Gate = Literal["auto", "manual", False]
Visibility = Literal["public", "private"]


class RepoName(msgspec.Struct, frozen=True, kw_only=True):
    """How clients name a repo in a body: ``organization`` null means one's own namespace."""

    name: str
    organization: str | None = None
    type: str | None = None


class NewRepo(RepoName, frozen=True, kw_only=True):
    """``POST /api/repos/create``. ``private`` is how older clients say it."""

    visibility: Visibility | None = None
    private: bool | None = None
    gated: Gate | None = None


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """``PUT …/settings``: only what is named changes."""

    gated: Gate | msgspec.UnsetType = msgspec.UNSET
    visibility: Visibility | None = None
    private: bool | None = None


async def create(request: Request) -> Response:
    """The new repo's URL; 409 with the URL when it is there already."""
    hub, reader = hub_of(request), await reader_of(request)
    account = require_scope(reader, "write")
    wish = await read_json(request, NewRepo)
    repo_type = type_of(wish)
    namespace, name = split_name(wish, own=account.name)
    private = wish.private if wish.visibility is None else wish.visibility == "private"
    try:
        repo = await create_repo(
            hub.db,
            reader,
            type=repo_type,
            namespace=namespace,
            name=name,
            put_bytes=hub.blobs.put_bytes,
            wish="internal" if private else "public",
            gated=_gate(wish.gated or False),
            now_ms=hub.clock(),
        )
    except Conflict as error:
        existing = await find_repo_for(hub, reader, repo_type, f"{namespace}/{name}")
        raise RepoExists(error.message, url=url_of(hub, existing)) from error
    return answer({"url": url_of(hub, repo), "name": repo.full_name, "id": repo.id})


async def delete(request: Request) -> Response:
    """Deletes the repo that the body names."""
    hub, reader = hub_of(request), await reader_of(request)
    account = require_scope(reader, "write")
    wish = await read_json(request, RepoName)
    namespace, name = split_name(wish, own=account.name)
    full_name = f"{namespace}/{name}"
    repo = await find_repo_for_writer(hub, reader, type_of(wish), full_name)
    try:
        await delete_repo(hub.db, repo, reader, now_ms=hub.clock())
    except RepoNotFound:
        raise no_such_repo(full_name) from None
    return answer({"deleted": full_name})


async def settings(call: RepoCall) -> Response:
    """Turns the gate on or off, or asks for another visibility."""
    hub, reader = call.hub, await reader_of(call.request)
    repo = await find_repo_for_writer(hub, reader, call.repo_type, call.full_name)
    wish = await read_json(call.request, Settings)
    if wish.gated is not msgspec.UNSET:
        repo = await ask_gate(hub, repo, reader, gated=_gate(wish.gated))
    private = wish.private if wish.visibility is None else wish.visibility == "private"
    if private is not None:
        repo = await ask_visibility(hub, repo, reader, private=private)
    gated = False if repo.gated == "false" else repo.gated
    return answer({"id": repo.full_name, "private": repo.wish == "internal", "gated": gated})


async def auth_check(call: RepoCall) -> Response:
    """200 when the reader may read the repo's bytes (``/write``: may write to it)."""
    reader = await reader_of(call.request)
    if call.rest == ("write",):
        await find_repo_for_writer(call.hub, reader, call.repo_type, call.full_name)
        return answer({"write": True})
    if call.rest:
        raise InvalidInput("could not answer: auth-check takes nothing behind it, or /write")
    repo, visible, _ = await open_call(call, None)
    readable(visible, repo)
    return answer({"read": True})


def type_of(wish: RepoName) -> str:
    """``model`` or ``dataset``.

    Raises:
        NotImplementedHere: a kind of repo that this hub has not.
        InvalidInput: no kind of repo.
    """
    match wish.type:
        case None | "model" | "dataset":
            return wish.type or "model"
        case "space" | "kernel" | "bucket":
            raise NotImplementedHere(f"could not answer: this hub has no {wish.type}s")
        case _:
            raise InvalidInput("could not answer: the repo type is model or dataset")


def split_name(wish: RepoName, *, own: str) -> tuple[str, str]:
    """Namespace and name; ``own`` is the namespace of who asks."""
    name = printable(wish.name)
    if "/" in name and not wish.organization:
        namespace, _, name = name.partition("/")
        return namespace, name
    return printable(wish.organization or own), name


def url_of(hub: Hub, repo: Repo) -> str:
    """The page of a repo, on the public URL; clients read namespace and name from it."""
    prefix = "datasets/" if repo.type == "dataset" else ""
    return f"{hub.settings.public_url}/{prefix}{repo.full_name}"


def _gate(gated: Gate) -> str:
    return gated or "false"
