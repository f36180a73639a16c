"""Passwords, by argon2id (argon2-cffi with its own defaults: RFC 9106, low-memory profile).

    await set_password(db, account.id, "correct horse battery", now_ms=clock())
    account = await check_password(db, "alice", "correct horse battery")

Hashing takes tens of milliseconds by design, so it runs on a thread.
"""

from __future__ import annotations

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from weighbridge.accounts.account import QUERIES, Account, get_account
from weighbridge.errors import InvalidInput, NotAuthenticated
from weighbridge.oversight.event import append_event
from weighbridge.storage.database import Database, Session, in_transaction

MIN_CHARACTERS = 12
MAX_CHARACTERS = 1024
_HASHER = PasswordHasher()
# Checked against when there is no such account, so that the time taken does not tell which names exist.
_NOBODY = "$argon2id$v=19$m=65536,t=3,p=4$lxx1OVnUxia3RDiwZYDbQw$Z2nCD0BlxzAHHm4/0njH5+7dno5LJ+7Rwe5peGjmang"


async def set_password(
    db: Database, account_id: str, password: str, *, now_ms: int, actor_id: str | None = None
) -> None:
    """Sets or replaces an account's password.

    Raises: InvalidInput when it is shorter than 12 or longer than 1,024 characters, NotFound for an unknown account.
    """
    if not MIN_CHARACTERS <= len(password) <= MAX_CHARACTERS:
        raise InvalidInput(f"could not set the password: it takes {MIN_CHARACTERS} to {MAX_CHARACTERS} characters")
    await get_account(db, account_id)
    password_hash = await asyncio.to_thread(_HASHER.hash, password)

    async def work(tx: Session) -> None:
        await tx.run(QUERIES["set_password_hash"], id=account_id, password_hash=password_hash)
        detail: dict[str, object] = {"account": account_id}
        await append_event(tx, "account:set-password", actor_id=actor_id, detail=detail, now_ms=now_ms)

    await in_transaction(db, work)


async def check_password(db: Database, name: str, password: str) -> Account:
    """The account whose name and password these are.

    Raises: NotAuthenticated, with one text whether the name or the password is wrong.
    """
    row = await db.one(QUERIES["password_hash"], name_key=name.lower())
    password_hash: str | None = row["password_hash"] if row else None
    matches = await asyncio.to_thread(_matches, password_hash or _NOBODY, password[: MAX_CHARACTERS + 1])
    if row is None or password_hash is None or not matches:
        raise NotAuthenticated("could not log in: name or password is wrong", hint="Check both and try again.")
    return await get_account(db, row["id"])


def _matches(password_hash: str, password: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False
