"""Accounts, tokens, members and hub roles by the API (docs/format.md section 9), and logging in by password.

Hub admins may do all of it; a person makes and revokes its own tokens; an organisation's admins manage its members.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from weighbridge.accounts import (
    Account,
    AccountKind,
    Reader,
    Role,
    ScopeKind,
    create_organisation,
    create_token,
    create_user,
    find_account,
    grant_role,
    hub_roles,
    list_accounts,
    list_tokens,
    members_of,
    revoke_role,
    revoke_token,
    roles_in_namespace,
    set_password,
)
from weighbridge.bootstrap import Hub
from weighbridge.errors import InvalidInput, NotAllowed, NotFound
from weighbridge.http.auth import hub_of, reader_of, require_account, require_scope
from weighbridge.http.hf.names import find_repo_for
from weighbridge.http.hf.routing import printable
from weighbridge.http.hf.times import rfc3339
from weighbridge.http.json import answer, read_json
from weighbridge.http.login import log_in

PREFIX = "/api/weighbridge/v1"
LOGIN_LIFETIME_MS = 12 * 3600 * 1000
LOGIN_SCOPES = ("read", "write", "approve")
MAX_PAGE = 1000
MAX_LIFETIME_S = 10 * 366 * 24 * 3600
_NOT_ITS_ADMIN = "could not do this: it takes an admin of that organisation"


class Login(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A name and a password."""

    name: str
    password: str


class NewAccount(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An account to be made. Without ``password`` only tokens log a person in."""

    name: str
    kind: AccountKind = AccountKind.USER
    full_name: str = ""
    password: str | None = None
    policy: Literal["open", "responsible"] | None = None


class NewToken(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A token to be made. ``repo``: ``ns/name`` or ``datasets/ns/name``, when it shall be good for that one alone."""

    name: str
    scopes: list[str]
    expires_in_s: Annotated[int, msgspec.Meta(ge=1, le=MAX_LIFETIME_S)] | None = None
    repo: str | None = None


class RoleWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A role to be given."""

    role: Role


def routes(hub: Hub) -> list[BaseRoute]:
    """The routes of this module."""
    del hub  # each request brings its own
    return [
        Route(f"{PREFIX}/login", _login, methods=["POST"]),
        Route(f"{PREFIX}/accounts", _list_accounts, methods=["GET"]),
        Route(f"{PREFIX}/accounts", _create_account, methods=["POST"]),
        Route(f"{PREFIX}/accounts/{{name}}/tokens", _list_tokens, methods=["GET"]),
        Route(f"{PREFIX}/accounts/{{name}}/tokens", _create_token, methods=["POST"]),
        Route(f"{PREFIX}/tokens/{{id}}", _revoke_token, methods=["DELETE"]),
        Route(f"{PREFIX}/organisations/{{org}}/members", _list_members, methods=["GET"]),
        Route(f"{PREFIX}/organisations/{{org}}/members/{{account}}", _put_member, methods=["PUT"]),
        Route(f"{PREFIX}/organisations/{{org}}/members/{{account}}", _delete_member, methods=["DELETE"]),
        Route(f"{PREFIX}/hub/roles/{{account}}/{{role}}", _put_hub_role, methods=["PUT"]),
        Route(f"{PREFIX}/hub/roles/{{account}}/{{role}}", _delete_hub_role, methods=["DELETE"]),
    ]


async def _login(request: Request) -> Response:
    """A short-lived token for a name and a password."""
    hub = hub_of(request)
    login = await read_json(request, Login)
    account = await log_in(request, printable(login.name), login.password)
    now_ms = hub.clock()
    expires_ms = now_ms + LOGIN_LIFETIME_MS
    token_id, text = await create_token(
        hub.db, account_id=account.id, name="login", scopes=LOGIN_SCOPES, now_ms=now_ms, expires_ms=expires_ms
    )
    body = {"id": token_id, "token": text, "scopes": LOGIN_SCOPES, "expires_at": rfc3339(expires_ms)}
    return answer(body, headers={"Cache-Control": "no-store"})


async def _list_accounts(request: Request) -> Response:
    hub = hub_of(request)
    await _require_hub_admin(hub, await reader_of(request))
    limit = min(_number(request, "limit", 100), MAX_PAGE)
    found = await list_accounts(hub.db, after=printable(request.query_params.get("after", "")), limit=limit)
    following = found[-1].name if len(found) == limit else None
    return answer({"accounts": [_account_json(account) for account in found], "next": following})


async def _create_account(request: Request) -> Response:
    hub = hub_of(request)
    actor = await _require_hub_admin(hub, await reader_of(request))
    wish = await read_json(request, NewAccount)
    if wish.kind is AccountKind.ORGANISATION and wish.password is not None:
        raise InvalidInput("could not create the organisation: only people have passwords")
    full_name, policy, now_ms = printable(wish.full_name), wish.policy or hub.settings.default_policy, hub.clock()
    if wish.kind is AccountKind.ORGANISATION:
        account = await create_organisation(
            hub.db, name=wish.name, created_by=actor.id, full_name=full_name, policy=policy, now_ms=now_ms
        )
    else:
        account = await create_user(
            hub.db, name=wish.name, full_name=full_name, policy=policy, actor_id=actor.id, now_ms=now_ms
        )
    if wish.password is not None:
        await set_password(hub.db, account.id, wish.password, actor_id=actor.id, now_ms=now_ms)
    return answer(_account_json(account), status=201)


async def _list_tokens(request: Request) -> Response:
    hub = hub_of(request)
    account = await _own_or_any(hub, await reader_of(request), request.path_params["name"])
    tokens = [
        {
            "id": token.id,
            "name": token.name,
            "scopes": sorted(token.scopes),
            "created_at": rfc3339(token.created_ms),
            "expires_at": rfc3339(token.expires_ms) if token.expires_ms is not None else None,
            "revoked_at": rfc3339(token.revoked_ms) if token.revoked_ms is not None else None,
        }
        for token in await list_tokens(hub.db, account.id)
    ]
    return answer({"tokens": tokens})


async def _create_token(request: Request) -> Response:
    """A new token, its text shown this once. Nobody gets from a token more than the token itself is good for."""
    hub = hub_of(request)
    reader = await reader_of(request)
    account = await _own_or_any(hub, reader, request.path_params["name"])
    wish = await read_json(request, NewToken)
    repo_id = await _named_repo(hub, reader, wish.repo) if wish.repo is not None else None
    beyond = [scope for scope in wish.scopes if scope not in reader.scopes]
    if "write" not in reader.scopes or beyond or reader.repo_id not in (None, repo_id):
        raise NotAllowed(
            "could not create the token: it would be good for more than the token that asks for it",
            hint="Use a token with the scope 'write', every scope asked for, and no narrower repo.",
        )
    now_ms = hub.clock()
    expires_ms = None if wish.expires_in_s is None else now_ms + wish.expires_in_s * 1000
    token_id, text = await create_token(
        hub.db,
        account_id=account.id,
        name=printable(wish.name),
        scopes=wish.scopes,
        now_ms=now_ms,
        expires_ms=expires_ms,
        repo_id=repo_id,
        actor_id=require_account(reader).id,
    )
    return answer({"id": token_id, "token": text}, status=201, headers={"Cache-Control": "no-store"})


async def _named_repo(hub: Hub, reader: Reader, name: str) -> str:
    """The id of ``ns/name`` or ``datasets/ns/name``, if the reader may know of it."""
    kind, full_name = ("dataset", name[9:]) if name.startswith("datasets/") else ("model", name)
    return (await find_repo_for(hub, reader, kind, printable(full_name))).id


async def _revoke_token(request: Request) -> Response:
    hub = hub_of(request)
    reader = await reader_of(request)
    actor = require_account(reader)
    token_id = printable(request.path_params["id"])
    if token_id != reader.token_id and ("write" not in reader.scopes or reader.repo_id is not None):
        raise NotAllowed(
            "could not revoke the token: the token that asks for it may revoke none but itself",
            hint="Use a token with the scope 'write' that is not bound to one repo.",
        )
    own = {token.id for token in await list_tokens(hub.db, actor.id)}
    if token_id not in own and not await _is_hub_admin(hub, reader):
        raise NotFound("could not find the token: no token has this id")
    await revoke_token(hub.db, token_id, now_ms=hub.clock(), actor_id=actor.id)
    return Response(status_code=204)


async def _list_members(request: Request) -> Response:
    hub = hub_of(request)
    organisation = await _managed_organisation(hub, await reader_of(request), request.path_params["org"])
    members = await members_of(hub.db, organisation.id)
    rows = [{"account": member.account.name, "roles": sorted(member.roles)} for member in members]
    return answer({"members": rows})


async def _put_member(request: Request) -> Response:
    hub = hub_of(request)
    reader = await reader_of(request)
    organisation = await _managed_organisation(hub, reader, request.path_params["org"])
    wish = await read_json(request, RoleWish)
    member = await _existing(hub, request.path_params["account"], kind=AccountKind.USER)
    await grant_role(
        hub.db,
        account_id=member.id,
        scope=ScopeKind.ORGANISATION,
        scope_id=organisation.id,
        role=wish.role,
        actor_id=require_account(reader).id,
        now_ms=hub.clock(),
    )
    return Response(status_code=204)


async def _delete_member(request: Request) -> Response:
    """Takes away the role of ``?role=``, or every role."""
    hub = hub_of(request)
    reader = await reader_of(request)
    organisation = await _managed_organisation(hub, reader, request.path_params["org"])
    member = await _existing(hub, request.path_params["account"], kind=AccountKind.USER)
    named = request.query_params.get("role")
    for role in [_role(named)] if named else list(Role):
        await revoke_role(
            hub.db,
            account_id=member.id,
            scope=ScopeKind.ORGANISATION,
            scope_id=organisation.id,
            role=role,
            actor_id=require_account(reader).id,
            now_ms=hub.clock(),
        )
    return Response(status_code=204)


async def _put_hub_role(request: Request) -> Response:
    hub = hub_of(request)
    actor = await _require_hub_admin(hub, await reader_of(request))
    account = await _existing(hub, request.path_params["account"], kind=AccountKind.USER)
    await grant_role(
        hub.db,
        account_id=account.id,
        scope=ScopeKind.HUB,
        role=_role(request.path_params["role"]),
        actor_id=actor.id,
        now_ms=hub.clock(),
    )
    return Response(status_code=204)


async def _delete_hub_role(request: Request) -> Response:
    hub = hub_of(request)
    actor = await _require_hub_admin(hub, await reader_of(request))
    account = await _existing(hub, request.path_params["account"], kind=AccountKind.USER)
    await revoke_role(
        hub.db,
        account_id=account.id,
        scope=ScopeKind.HUB,
        role=_role(request.path_params["role"]),
        actor_id=actor.id,
        now_ms=hub.clock(),
    )
    return Response(status_code=204)


async def _require_hub_admin(hub: Hub, reader: Reader) -> Account:
    account = require_scope(reader, "admin")
    if not await _is_hub_admin(hub, reader):
        raise NotAllowed("could not do this: it takes an admin of the hub")
    return account


async def _is_hub_admin(hub: Hub, reader: Reader) -> bool:
    if reader.account is None or reader.repo_id is not None or "admin" not in reader.scopes:
        return False
    return Role.ADMIN in await hub_roles(hub.db, reader.account.id)


async def _own_or_any(hub: Hub, reader: Reader, name: str) -> Account:
    """The account of that name, when it is the reader's own or the reader is a hub admin."""
    own = require_account(reader)
    if own.name.lower() == name.lower():
        return own
    await _require_hub_admin(hub, reader)
    return await _existing(hub, name, kind=AccountKind.USER)


async def _managed_organisation(hub: Hub, reader: Reader, name: str) -> Account:
    """The organisation of that name, if the reader is an admin of it or of the hub; else one and the same refusal."""
    actor = require_scope(reader, "admin")
    organisation = await find_account(hub.db, printable(name))
    if organisation is None or organisation.kind is not AccountKind.ORGANISATION or reader.repo_id is not None:
        raise NotAllowed(_NOT_ITS_ADMIN)
    if Role.ADMIN not in await roles_in_namespace(hub.db, actor.id, organisation.id):
        raise NotAllowed(_NOT_ITS_ADMIN)
    return organisation


async def _existing(hub: Hub, name: str, *, kind: AccountKind) -> Account:
    account = await find_account(hub.db, printable(name))
    if account is None or account.kind is not kind:
        raise NotFound(f"could not find {name}: no {kind} has this name")
    return account


def _role(text: str) -> Role:
    try:
        return Role(text)
    except ValueError as error:
        raise InvalidInput(f"could not use the role {text!r}: roles are {', '.join(Role)}") from error


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) < 1:
        raise InvalidInput(f"could not use {name}={text[:40]!r}: it is a whole number from 1")
    return int(text)


def _account_json(account: Account) -> dict[str, object]:
    return {
        "name": account.name,
        "kind": account.kind,
        "full_name": account.full_name,
        "uri": account.uri,
        "policy": account.policy,
        "created_at": rfc3339(account.created_ms),
        "disabled": account.disabled_ms is not None,
    }
