"""Readers: who is asking. Every read and write takes one; ``ANONYMOUS`` is nobody in particular.

    reader = await authenticate(db, token_text, now_ms=clock())
    if not reader.may("write"): ...

A token narrows its account: ``scopes`` say for what, ``repo_id`` for which repo alone it is good.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec

from weighbridge.accounts.account import QUERIES, Account, account_from
from weighbridge.accounts.token import MAX_TEXT_CHARACTERS, token_sha256
from weighbridge.errors import NotAuthenticated
from weighbridge.storage.database import Session

INVALID_CREDENTIALS = "Invalid credentials in Authorization header"
"""Clients know this exact text: it keeps a 401 from being read as "repo not found" (huggingface_hub utils/_http.py)."""

_IMPLIED = {"admin": ("write", "read"), "write": ("read",), "approve": ("read",)}


class Reader(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks: an account by way of a token or a session, or nobody (``account`` None)."""

    account: Account | None = None
    scopes: frozenset[str] = frozenset()
    repo_id: str | None = None
    token_id: str | None = None
    token_name: str = ""
    token_created_ms: int = 0
    session: bool = False

    def may(self, scope: str) -> bool:
        """Whether the token's scopes cover ``scope`` (admin covers write, write and approve cover read)."""
        return scope in self.scopes

    def account_for(self, repo_id: str) -> Account | None:
        """The account as which this reader acts on one repo: None for a token that is bound to another repo."""
        if self.repo_id is not None and self.repo_id != repo_id:
            return None
        return self.account

    def require_account(self) -> Account:
        """The account. Raises: NotAuthenticated when there is none."""
        if self.account is None:
            raise NotAuthenticated("could not do this: it needs a login")
        return self.account


ANONYMOUS = Reader()


async def authenticate(db: Session, token_text: str, *, now_ms: int) -> Reader:
    """Who the token is of.

    Raises: NotAuthenticated with one text for an unknown, expired or revoked token and a disabled account.
    """
    if not token_text or len(token_text) > MAX_TEXT_CHARACTERS:
        raise NotAuthenticated(INVALID_CREDENTIALS)
    row = await db.one(QUERIES["authenticate"], sha256=token_sha256(token_text))
    if row is None or row["revoked_ms"] is not None or row["disabled_ms"] is not None:
        raise NotAuthenticated(INVALID_CREDENTIALS)
    if row["expires_ms"] is not None and row["expires_ms"] <= now_ms:
        raise NotAuthenticated(INVALID_CREDENTIALS)
    is_session = row["token_kind"] == "session"  # noqa: S105
    return Reader(
        account=account_from(row),
        scopes=_scopes(row["scopes"]),
        repo_id=row["repo_id"],
        token_id=row["token_id"],
        token_name=row["token_name"],
        token_created_ms=row["token_created_ms"],
        session=is_session,
    )


@lru_cache(maxsize=64)
def _scopes(text: str) -> frozenset[str]:
    scopes = set(text.split())
    for scope in tuple(scopes):
        scopes.update(_IMPLIED.get(scope, ()))
    return frozenset(scopes)
