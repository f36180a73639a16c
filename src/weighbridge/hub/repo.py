"""Repos: made, set, deleted. Finding one is in ``naming``, seeing one in ``access``, listing them in ``listing``.

repo = await create_repo(db, reader, type="model", namespace="acme", name="tiny", put_bytes=blobs.put_bytes,
                         now_ms=clock())
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import msgspec

from weighbridge.accounts import Account, Reader, Role, check_name, find_account, roles_in_namespace
from weighbridge.accounts.account import insert_named
from weighbridge.errors import Conflict, InvalidInput, NotAllowed, NotFound
from weighbridge.hub.access import require_writer
from weighbridge.hub.blob import record_upload
from weighbridge.hub.commit import NewFile, create_author_commit
from weighbridge.hub.git import GITATTRIBUTES, blob_oid
from weighbridge.hub.listing import ListedRepo, RepoPage, list_visible_repos
from weighbridge.hub.naming import QUERIES, TYPES, Repo, find_repo, get_repo
from weighbridge.oversight.event import append_event
from weighbridge.storage.database import in_transaction

if TYPE_CHECKING:
    from weighbridge.storage.database import Database, Session

__all__ = [
    "ListedRepo",
    "Repo",
    "RepoPage",
    "create_repo",
    "delete_repo",
    "find_repo",
    "get_repo",
    "list_visible_repos",
    "update_settings",
]

GATES = ("false", "auto", "manual")
WISHES = ("internal", "public")
MAX_POLICY_NAME = 96


async def create_repo(
    db: Database,
    reader: Reader,
    *,
    type: str,  # noqa: A002
    namespace: str,
    name: str,
    put_bytes: Callable[[bytes], Awaitable[str]],
    now_ms: int,
    wish: str = "public",
    gated: str = "false",
    policy: str | None = None,
) -> Repo:
    """The new repo, whose ``main`` holds the standard ``.gitattributes``. ``put_bytes``: the blob store's.

    ``wish`` is what its owner would like it to be; until a decision opens a release, nobody but insiders sees it.
    Raises: InvalidInput (names, settings), NotFound (namespace), NotAllowed, NotAuthenticated, Conflict (it exists).
    """
    actor = reader.require_account()
    if type not in TYPES:
        raise InvalidInput(f"could not create the repo: its type is one of {', '.join(TYPES)}")
    check_name(name, what="repo name")
    _check_settings(gated=gated, wish=wish, policy=policy)
    if reader.repo_id is not None or not reader.may("write"):
        raise NotAllowed("could not create the repo: this token is not for that", hint="Use one with the scope write.")
    owner = await _namespace(db, namespace, actor)
    await put_bytes(GITATTRIBUTES)

    async def work(tx: Session) -> Repo:
        existing = await find_repo(tx, type, f"{owner.name}/{name}")
        if existing is not None:
            gone = ", and releases of it were out" if existing.deleted_ms else ""
            raise Conflict(f"could not create the repo: {existing.full_name} exists already{gone}")
        repo = Repo(id=secrets.token_hex(16), type=type, namespace_id=owner.id, namespace=owner.name, name=name,
                    policy=policy, gated=gated, wish=wish, created_by=actor.id, created_ms=now_ms,
                    updated_ms=now_ms)  # fmt: skip
        row = msgspec.structs.asdict(repo)
        del row["updated_ms"], row["deleted_ms"]
        await insert_named(tx, QUERIES["insert_repo"], repo.full_name, **row, full_name_key=repo.full_name.lower())
        await append_event(tx, "repo:create", actor_id=actor.id, repo_id=repo.id, now_ms=now_ms)
        await _first_commit(tx, repo, actor, now_ms)
        return repo

    return await in_transaction(db, work)


async def update_settings(
    db: Database,
    repo: Repo,
    reader: Reader,
    *,
    now_ms: int,
    gated: str | None = None,
    wish: str | None = None,
    policy: str | None = None,
) -> Repo:
    """The repo as it is now. None leaves a setting; this turns no dial: opening anything takes a release.

    Raises: InvalidInput, RepoNotFound, NotAllowed, NotAuthenticated.
    """
    actor = await require_writer(db, repo, reader)
    changed = {key: value for key, value in (("gated", gated), ("wish", wish), ("policy", policy)) if value is not None}
    new = msgspec.structs.replace(repo, **changed, updated_ms=now_ms)
    _check_settings(gated=new.gated, wish=new.wish, policy=new.policy)

    async def work(tx: Session) -> None:
        await tx.run(QUERIES["update_repo"], id=repo.id, gated=new.gated, wish=new.wish, policy=new.policy,
                     now_ms=now_ms)  # fmt: skip
        await append_event(tx, "repo:set", actor_id=actor.id, repo_id=repo.id, detail={**changed}, now_ms=now_ms)

    await in_transaction(db, work)
    return new


async def delete_repo(db: Database, repo: Repo, reader: Reader, *, now_ms: int) -> None:
    """The repo is gone, its name free again; if releases were out and withdrawn, a tombstone keeps name and advisory.

    Raises: Conflict while a release is out or under way (deleting it is a withdrawal, so withdraw first), RepoNotFound,
    NotAllowed, NotAuthenticated.
    """
    actor = await require_writer(db, repo, reader)

    async def work(tx: Session) -> None:
        for query, state in (("running_releases", "under way"), ("standing_releases", "out")):
            rows = await tx.all(QUERIES[query], repo_id=repo.id)
            if rows:
                number = rows[-1]["number"]
                raise Conflict(
                    f"could not delete {repo.full_name}: release {number} is {state}",
                    hint=f"To delete is to withdraw: run `weighbridge withdraw {repo.full_name}@{number}` first.",
                )
        await tx.run(QUERIES["delete_repo"], id=repo.id, now_ms=now_ms)
        await append_event(tx, "repo:delete", actor_id=actor.id, repo_id=repo.id, now_ms=now_ms)

    await in_transaction(db, work)


async def _namespace(db: Database, namespace: str, actor: Account) -> Account:
    owner = await find_account(db, namespace)
    if owner is None or owner.disabled_ms is not None:
        raise NotFound(f"could not create the repo: there is no namespace {namespace[:96]!r}")
    if Role.WRITE not in await roles_in_namespace(db, actor.id, owner.id):
        raise NotAllowed(
            f"You don't have the rights to create a repo under the namespace {owner.name!r}",
            hint="Ask an admin of the organisation for the role write.",
        )
    return owner


async def _first_commit(tx: Session, repo: Repo, actor: Account, now_ms: int) -> None:
    file = NewFile(path=".gitattributes", sha256=hashlib.sha256(GITATTRIBUTES).hexdigest(),
                   size_bytes=len(GITATTRIBUTES), git_oid=blob_oid(GITATTRIBUTES), is_text=True)  # fmt: skip
    await record_upload(tx, repo, actor.id, sha256=file.sha256, git_oid=file.git_oid, size_bytes=file.size_bytes,
                        is_text=True, now_ms=now_ms)  # fmt: skip
    await create_author_commit(tx, repo, [file], message="initial commit", author=actor, now_ms=now_ms,
                               texts={".gitattributes": GITATTRIBUTES})  # fmt: skip


def _check_settings(*, gated: str, wish: str, policy: str | None) -> None:
    if gated not in GATES:
        raise InvalidInput(f"could not set gated: it is one of {', '.join(GATES)}")
    if wish not in WISHES:
        raise InvalidInput(f"could not set the visibility: it is one of {', '.join(WISHES)}")
    if policy is not None and not 0 < len(policy) <= MAX_POLICY_NAME:
        raise InvalidInput("could not set the policy: its name takes 1 to 96 characters")
