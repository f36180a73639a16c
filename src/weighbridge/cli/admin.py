"""``weighbridge admin``: accounts, roles and tokens, on the hub's own database. Works while ``serve`` runs."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from weighbridge.cli.console import json_option, print_json, settings_of, settings_options

if TYPE_CHECKING:
    from weighbridge.accounts import Account, ScopeKind
    from weighbridge.bootstrap import Hub

DAY_MS = 24 * 3600 * 1000

T = TypeVar("T")


@click.group()
def admin() -> None:
    """Users, organisations, roles and tokens of a hub, on its data folder.

    Who may read the data folder (or the database that its settings name) is the hub's keeper: no token is asked for.
    """


@admin.group("user")
def user() -> None:
    """People."""


@user.command("create")
@click.argument("name")
@click.option("--full-name", default="", help="Shown beside the name.")
@click.option(
    "--policy", metavar="P", help="Policy of the namespace: open, responsible or a file (default: the hub's)."
)
@settings_options
@json_option
def user_create(
    name: str, full_name: str, policy: str | None, data: Path | None, config: Path | None, as_json: bool
) -> None:
    """Create the account NAME. Give it a token or a password next."""
    from weighbridge.accounts import create_user
    from weighbridge.cli.policy_flag import usable_policy

    async def work(hub: Hub) -> Account:
        chosen = await usable_policy(policy) or hub.settings.default_policy
        return await create_user(hub.db, name=name, full_name=full_name, policy=chosen, now_ms=hub.clock())

    _show_account(_on_hub(data, config, work), as_json=as_json)


@user.command("list")
@settings_options
@json_option
def user_list(data: Path | None, config: Path | None, as_json: bool) -> None:
    """List every account: people and organisations."""
    from weighbridge.accounts import list_accounts

    async def work(hub: Hub) -> list[Account]:
        found: list[Account] = []
        while page := await list_accounts(hub.db, after=found[-1].name if found else "", limit=500):
            found += page
        return found

    accounts = _on_hub(data, config, work)
    if as_json:
        print_json([_account_json(account) for account in accounts])
        return
    for account in accounts:
        disabled = "  (disabled)" if account.disabled_ms is not None else ""
        click.echo(f"{account.kind.value:<13} {account.name:<32} policy {account.policy}{disabled}")


@admin.group("org")
def organisation() -> None:
    """Organisations."""


@organisation.command("create")
@click.argument("name")
@click.option("--admin", "first_admin", metavar="ACCOUNT", help="Its first admin.")
@click.option("--full-name", default="", help="Shown beside the name.")
@click.option(
    "--policy", metavar="P", help="Policy of its namespace: open, responsible or a file (default: the hub's)."
)
@settings_options
@json_option
def org_create(
    name: str,
    first_admin: str | None,
    full_name: str,
    policy: str | None,
    data: Path | None,
    config: Path | None,
    as_json: bool,
) -> None:
    """Create the organisation NAME."""
    from weighbridge.accounts import create_organisation
    from weighbridge.cli.policy_flag import usable_policy

    async def work(hub: Hub) -> Account:
        creator = (await _account(hub, first_admin)).id if first_admin else None
        return await create_organisation(
            hub.db,
            name=name,
            created_by=creator,
            full_name=full_name,
            policy=await usable_policy(policy) or hub.settings.default_policy,
            now_ms=hub.clock(),
        )

    _show_account(_on_hub(data, config, work), as_json=as_json)


@admin.group("token")
def token() -> None:
    """Access tokens."""


@token.command("create")
@click.argument("account")
@click.option("--name", default="made by admin", show_default=True, help="What the token is for.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(["read", "write", "approve", "admin"]),
    help="May be given more than once (default: read).",
)
@click.option("--days", type=click.IntRange(1, 3650), help="Expires after so many days (default: never).")
@settings_options
@json_option
def token_create(
    account: str,
    name: str,
    scopes: tuple[str, ...],
    days: int | None,
    data: Path | None,
    config: Path | None,
    as_json: bool,
) -> None:
    """Create a token of ACCOUNT and print it, this once."""
    from weighbridge.accounts import create_token

    async def work(hub: Hub) -> tuple[str, str]:
        now_ms = hub.clock()
        return await create_token(
            hub.db,
            account_id=(await _account(hub, account)).id,
            name=name,
            scopes=scopes or ("read",),
            expires_ms=now_ms + days * DAY_MS if days else None,
            now_ms=now_ms,
        )

    token_id, text = _on_hub(data, config, work)
    if as_json:
        print_json({"id": token_id, "token": text, "account": account, "scopes": list(scopes or ("read",))})
        return
    click.echo(text)
    click.echo(f"token {token_id} of {account}; it is shown this once", err=True)


@token.command("list")
@click.argument("account")
@settings_options
@json_option
def token_list(account: str, data: Path | None, config: Path | None, as_json: bool) -> None:
    """List the tokens of ACCOUNT, without their texts."""
    from weighbridge.accounts import Token, list_tokens

    async def work(hub: Hub) -> list[Token]:
        return await list_tokens(hub.db, (await _account(hub, account)).id)

    found = _on_hub(data, config, work)
    if as_json:
        print_json([{**_plain(item), "scopes": sorted(item.scopes)} for item in found])
        return
    for item in found:
        state = "  (revoked)" if item.revoked_ms is not None else ""
        click.echo(f"{item.id}  {item.name:<24} {' '.join(sorted(item.scopes))}{state}")


@token.command("revoke")
@click.argument("token_id")
@settings_options
@json_option
def token_revoke(token_id: str, data: Path | None, config: Path | None, as_json: bool) -> None:
    """Revoke the token of this id (see `token list`); it stops working at once."""
    from weighbridge.accounts import revoke_token

    async def work(hub: Hub) -> None:
        await revoke_token(hub.db, token_id, now_ms=hub.clock())

    _on_hub(data, config, work)
    _done({"revoked": token_id}, f"revoked {token_id}", as_json=as_json)


@admin.group("role")
def role() -> None:
    """Roles at the hub, in an organisation, or on a repo."""


@role.command("grant")
@click.argument("account")
@click.argument("role")
@click.option("--on", "scope", default="hub", show_default=True, help="hub, an organisation, or NAMESPACE/NAME.")
@settings_options
@json_option
def role_grant(account: str, role: str, scope: str, data: Path | None, config: Path | None, as_json: bool) -> None:
    """Give ACCOUNT a ROLE: read, contribute, write, admin, reviewer or auditor."""
    from weighbridge.accounts import grant_role

    _turn_role(grant_role, account, role, scope, data=data, config=config)
    _done({"account": account, "role": role, "on": scope}, f"{account} has {role} on {scope}", as_json=as_json)


@role.command("revoke")
@click.argument("account")
@click.argument("role")
@click.option("--on", "scope", default="hub", show_default=True, help="hub, an organisation, or NAMESPACE/NAME.")
@settings_options
@json_option
def role_revoke(account: str, role: str, scope: str, data: Path | None, config: Path | None, as_json: bool) -> None:
    """Take a ROLE from ACCOUNT."""
    from weighbridge.accounts import revoke_role

    _turn_role(revoke_role, account, role, scope, data=data, config=config)
    _done({"account": account, "role": role, "on": scope}, f"{account} has no {role} on {scope}", as_json=as_json)


@admin.command("password")
@click.argument("account")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read the password from the first line of standard input.")
@settings_options
@json_option
def password(account: str, from_stdin: bool, data: Path | None, config: Path | None, as_json: bool) -> None:
    """Set the password of ACCOUNT, with which it logs in to the pages."""
    from weighbridge.accounts import set_password

    if from_stdin:
        text = sys.stdin.readline().rstrip("\r\n")
    else:
        text = click.prompt("Password", hide_input=True, confirmation_prompt=True)

    async def work(hub: Hub) -> None:
        await set_password(hub.db, (await _account(hub, account)).id, text, now_ms=hub.clock())

    _on_hub(data, config, work)
    _done({"account": account}, f"password of {account} set", as_json=as_json)


def _turn_role(
    change: Callable[..., Awaitable[None]],
    account: str,
    role: str,
    scope: str,
    *,
    data: Path | None,
    config: Path | None,
) -> None:
    from weighbridge.accounts import Role
    from weighbridge.errors import InvalidInput

    try:
        wanted = Role(role)
    except ValueError:
        raise InvalidInput(f"could not use role {role!r}: roles are {', '.join(Role)}") from None

    async def work(hub: Hub) -> None:
        kind, scope_id = await _scope(hub, scope)
        found = await _account(hub, account)
        await change(hub.db, account_id=found.id, scope=kind, scope_id=scope_id, role=wanted, now_ms=hub.clock())

    _on_hub(data, config, work)


async def _scope(hub: Hub, scope: str) -> tuple[ScopeKind, str]:
    from weighbridge.accounts import ScopeKind
    from weighbridge.errors import NotFound

    if scope == "hub":
        return ScopeKind.HUB, "hub"
    if "/" not in scope:
        return ScopeKind.ORGANISATION, (await _account(hub, scope)).id
    from weighbridge.hub.repo import find_repo

    kind, _, name = scope.rpartition(":")
    found = await find_repo(hub.db, kind or "model", name)
    if found is None:
        raise NotFound(f"could not find {scope}: no such repo", hint="Name a dataset as dataset:NAMESPACE/NAME.")
    return ScopeKind.REPO, found.id


async def _account(hub: Hub, name: str) -> Account:
    from weighbridge.accounts import find_account
    from weighbridge.errors import NotFound

    found = await find_account(hub.db, name)
    if found is None:
        raise NotFound(f"could not find the account {name!r}", hint="`weighbridge admin user list` lists them.")
    return found


def _on_hub(data: Path | None, config: Path | None, work: Callable[[Hub], Awaitable[T]]) -> T:
    """What ``work`` gives, run on the hub that the settings name; a folder without a hub is refused, not made one."""
    import asyncio

    from weighbridge.bootstrap import close_hub, open_hub
    from weighbridge.errors import NotFound

    settings = settings_of(data, config)
    if settings.database_url is None and not settings.metadata_path.exists():
        raise NotFound(
            f"could not find a hub in {settings.data}",
            hint="Name its data folder with --data; `weighbridge serve --data DIR` makes a new one.",
        )

    async def run() -> T:
        hub = await open_hub(settings)
        try:
            return await work(hub)
        finally:
            await close_hub(hub)

    return asyncio.run(run())


def _show_account(account: Account, *, as_json: bool) -> None:
    _done(_account_json(account), f"created {account.kind.value} {account.name}", as_json=as_json)


def _account_json(account: Account) -> dict[str, Any]:
    return {**_plain(account), "kind": account.kind.value}


def _plain(struct: Any) -> dict[str, Any]:
    import msgspec

    return msgspec.structs.asdict(struct)


def _done(value: dict[str, Any], words: str, *, as_json: bool) -> None:
    if as_json:
        print_json(value)
    else:
        click.echo(words)
