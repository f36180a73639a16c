"""Tokens: what a client shows instead of a password. The text is shown once; only its sha256 is kept.

    token_id, text = await create_token(db, account_id=alice.id, name="laptop", scopes={"read"}, now_ms=clock())
    await revoke_token(db, token_id, now_ms=clock())

A session is a token of the pages: made by logging in, all scopes, two weeks.
"""

from __future__ import annotations

import hashlib
import secrets
import string
from collections.abc import Iterable

import msgspec

from weighbridge.accounts.account import QUERIES, get_account
from weighbridge.errors import Conflict, InvalidInput, NotFound
from weighbridge.oversight.event import append_event
from weighbridge.storage.database import Database, Row, Session, in_transaction

SCOPES = ("read", "write", "approve", "admin")
PREFIX = "wb_"
MIN_TEXT_CHARACTERS = 20
MAX_TEXT_CHARACTERS = 512
SESSION_LIFETIME_MS = 14 * 24 * 3600 * 1000
_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A token's facts, without its text."""

    id: str
    account_id: str
    name: str
    scopes: frozenset[str]
    repo_id: str | None
    created_ms: int
    expires_ms: int | None
    revoked_ms: int | None


def token_sha256(text: str) -> str:
    """The digest by which a token's text is found."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


async def create_token(
    db: Database,
    *,
    account_id: str,
    name: str,
    scopes: Iterable[str],
    now_ms: int,
    expires_ms: int | None = None,
    repo_id: str | None = None,
    text: str | None = None,
    actor_id: str | None = None,
) -> tuple[str, str]:
    """The new token's id, and its text, which cannot be had again.

    ``text`` sets the text (automation); the same text for the same account again gives the same token.
    Raises: InvalidInput for unknown scopes, a past expiry or a weak text; Conflict for a text in use or revoked.
    """
    wanted = _check_scopes(scopes)
    if expires_ms is not None and expires_ms <= now_ms:
        raise InvalidInput("could not create the token: it would have expired already")
    if not name.strip() or len(name) > 96:
        raise InvalidInput("could not create the token: its name takes 1 to 96 characters")
    if text is None:
        text = PREFIX + "".join(secrets.choice(_BASE62) for _ in range(40))
    elif not MIN_TEXT_CHARACTERS <= len(text) <= MAX_TEXT_CHARACTERS or not text.isascii() or not text.isprintable():
        raise InvalidInput("could not create the token: its text takes 20 to 512 printable ASCII characters")
    await get_account(db, account_id)

    async def work(tx: Session) -> tuple[str, str]:
        taken = await tx.one(QUERIES["token_by_sha256"], sha256=token_sha256(text))
        if taken and (taken["account_id"] != account_id or taken["revoked_ms"] is not None):
            raise Conflict("could not create the token: this text is in use or was revoked")
        if taken:
            return taken["id"], text
        token_id = await _insert(tx, account_id, text, kind="token", name=name, scopes=wanted, repo_id=repo_id,
                                 now_ms=now_ms, expires_ms=expires_ms)  # fmt: skip
        detail: dict[str, object] = {"token": token_id, "account": account_id, "scopes": wanted}
        await append_event(tx, "token:create", actor_id=actor_id or account_id, detail=detail, now_ms=now_ms)
        return token_id, text

    return await in_transaction(db, work)


async def open_session(
    db: Database, account_id: str, *, now_ms: int, lifetime_ms: int = SESSION_LIFETIME_MS
) -> tuple[str, int]:
    """The text of a new session for the pages' cookie, and when it ends (ms)."""
    text = PREFIX + secrets.token_urlsafe(32)
    expires_ms = now_ms + lifetime_ms

    async def work(tx: Session) -> None:
        await _insert(tx, account_id, text, kind="session", name="session", scopes=list(SCOPES), repo_id=None,
                      now_ms=now_ms, expires_ms=expires_ms)  # fmt: skip
        await append_event(tx, "session:open", actor_id=account_id, now_ms=now_ms)

    await in_transaction(db, work)
    return text, expires_ms


async def close_session(db: Database, text: str, *, now_ms: int) -> None:
    """Ends a session; one that is over already changes nothing."""
    await db.run(QUERIES["close_session"], sha256=token_sha256(text), now_ms=now_ms)


async def get_token(db: Session, token_id: str) -> Token:
    """A token's facts. Raises: NotFound."""
    row = await db.one(QUERIES["token_by_id"], id=token_id)
    if row is None or row["kind"] != "token":
        raise NotFound("could not find the token: no token has this id")
    return _token(row)


async def list_tokens(db: Session, account_id: str) -> list[Token]:
    """An account's tokens, oldest first, revoked ones too; never sessions."""
    return [_token(row) for row in await db.all(QUERIES["tokens_of"], account_id=account_id)]


async def revoke_token(db: Database, token_id: str, *, now_ms: int, actor_id: str | None = None) -> None:
    """The token stops working at once; revoking twice changes nothing. Raises: NotFound."""
    token = await get_token(db, token_id)

    async def work(tx: Session) -> None:
        if await tx.run(QUERIES["revoke_token"], id=token_id, now_ms=now_ms):
            detail: dict[str, object] = {"token": token_id, "account": token.account_id}
            await append_event(tx, "token:revoke", actor_id=actor_id, detail=detail, now_ms=now_ms)

    await in_transaction(db, work)


def _check_scopes(scopes: Iterable[str]) -> list[str]:
    wanted = list(dict.fromkeys(scopes))
    unknown = [scope for scope in wanted if scope not in SCOPES]
    if unknown or not wanted:
        raise InvalidInput(f"could not create the token: scopes are {', '.join(SCOPES)}, at least one")
    return [scope for scope in SCOPES if scope in wanted]


async def _insert(
    tx: Session,
    account_id: str,
    text: str,
    *,
    kind: str,
    name: str,
    scopes: list[str],
    repo_id: str | None,
    now_ms: int,
    expires_ms: int | None,
) -> str:
    token_id = secrets.token_hex(16)
    await tx.run(
        QUERIES["insert_token"],
        id=token_id,
        account_id=account_id,
        sha256=token_sha256(text),
        kind=kind,
        name=name,
        scopes=" ".join(scopes),
        repo_id=repo_id,
        created_ms=now_ms,
        expires_ms=expires_ms,
    )
    return token_id


def _token(row: Row) -> Token:
    return Token(
        id=row["id"],
        account_id=row["account_id"],
        name=row["name"],
        scopes=frozenset(row["scopes"].split()),
        repo_id=row["repo_id"],
        created_ms=row["created_ms"],
        expires_ms=row["expires_ms"],
        revoked_ms=row["revoked_ms"],
    )
