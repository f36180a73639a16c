"""From the name that was asked to the repo and what its reader may see of it; one error for hidden and absent alike."""

from __future__ import annotations

from weighbridge.accounts import Reader
from weighbridge.bootstrap import Hub
from weighbridge.errors import RepoNotFound
from weighbridge.http.auth import reader_of
from weighbridge.http.hf.routing import RepoCall, no_such_repo
from weighbridge.hub.access import open_repo, require_writer, visible_revision
from weighbridge.hub.repo import Repo, find_repo
from weighbridge.hub.visible import CardOnly, Gated, Hidden, Readable, Withdrawn

Seen = Readable | Gated | CardOnly | Withdrawn
DEFAULT_REVISION = "main"


async def open_call(call: RepoCall, revision: str | None) -> tuple[Repo, Seen, Reader]:
    """The repo of a call, what its reader may see at ``revision`` (default: main), and the reader.

    Raises:
        RepoNotFound: absent or hidden, in words made only of what was asked.
        RevisionNotFound: the repo is known to the reader, the revision is not.
    """
    reader = await reader_of(call.request)
    try:
        repo, visible = await open_repo(
            call.hub.db, call.repo_type, call.full_name, revision or DEFAULT_REVISION, reader
        )
    except RepoNotFound:
        raise no_such_repo(call.full_name) from None
    if isinstance(visible, Hidden):
        raise no_such_repo(call.full_name)
    return repo, visible, reader


async def find_repo_for(hub: Hub, reader: Reader, repo_type: str, full_name: str) -> Repo:
    """The repo, when the reader may know that it exists.

    Raises:
        RepoNotFound: absent or hidden.
    """
    repo = await find_repo(hub.db, repo_type, full_name)
    if repo is None or isinstance(await visible_revision(hub.db, repo, DEFAULT_REVISION, reader), Hidden):
        raise no_such_repo(full_name)
    return repo


async def find_repo_for_writer(hub: Hub, reader: Reader, repo_type: str, full_name: str) -> Repo:
    """The repo, when the reader may write to it.

    Raises:
        RepoNotFound: absent or hidden.
        NotAllowed: known, and not writable for this reader or this token.
    """
    repo = await find_repo(hub.db, repo_type, full_name)
    if repo is None:
        raise no_such_repo(full_name)
    try:
        await require_writer(hub.db, repo, reader)
    except RepoNotFound:
        raise no_such_repo(full_name) from None
    return repo
