"""The repo that a writer names, or the error that tells others nothing."""

from __future__ import annotations

from weighbridge.accounts import Reader
from weighbridge.errors import RepoNotFound
from weighbridge.hub.access import NO_REPO, require_page, require_writer
from weighbridge.hub.naming import Repo, find_repo
from weighbridge.hub.standing import standing_on
from weighbridge.storage.database import Session

KINDS = {"models": "model", "datasets": "dataset"}


async def find_writable(session: Session, kind: str, full_name: str, reader: Reader) -> Repo:
    """The repo ``full_name`` of ``models`` or ``datasets``, which this reader may write.

    Raises:
        RepoNotFound: there is none, or not for this reader.
        NotAuthenticated: nobody is logged in, and the repo may be seen.
        NotAllowed: the reader may see it and not write it.
    """
    repo = await find_repo(session, KINDS[kind], full_name) if kind in KINDS else None
    if repo is None:
        raise RepoNotFound(NO_REPO)
    await require_writer(session, repo, reader)
    return repo


async def find_known(session: Session, kind: str, full_name: str, reader: Reader) -> Repo:
    """The repo ``full_name`` of ``models`` or ``datasets``, which this reader may know of.

    Raises:
        RepoNotFound: there is none, or not for this reader.
    """
    repo = await find_repo(session, KINDS[kind], full_name) if kind in KINDS else None
    if repo is None:
        raise RepoNotFound(NO_REPO)
    standing = await standing_on(session, repo, reader)
    if not (standing.reviewer or standing.auditor):
        await require_page(session, repo, "main", reader)
    return repo
