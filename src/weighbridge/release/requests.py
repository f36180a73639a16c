"""What people ask of a release, on the web side: to approve, to reject, to withdraw. The worker does the signing."""

from __future__ import annotations

from weighbridge.accounts import Account, Reader, Role, roles_on_repo
from weighbridge.errors import NotAllowed
from weighbridge.release.approval import ApprovalOrder, check_approval
from weighbridge.release.case import read_case
from weighbridge.release.queue import ReleaseQueue
from weighbridge.release.withdrawal import withdraw
from weighbridge.storage.database import Database, Row


async def request_approval(
    db: Database,
    queue: ReleaseQueue,
    row: Row,
    reader: Reader,
    *,
    digest: str,
    weights: str,
    inference: str,
    verdict: str,
    reason: str,
) -> None:
    """Returns once the approval is signed and kept.

    Raises:
        NotAuthenticated, NotAllowed: nobody, no scope ``approve``, no reviewer, or the author.
        PreconditionFailed: digest or dials are not those of the release.
        Conflict: it is decided already, or this person said the opposite.
        StorageError: no worker answered.
    """
    account = _scoped(reader, row, "approve")
    order = ApprovalOrder(
        release_id=row["id"],
        account_id=account.id,
        verdict=verdict,
        reason=reason,
        digest=digest,
        weights=weights,
        inference=inference,
    )
    if await check_approval(db, await read_case(db, row["id"]), order):
        await queue.approve(order)


async def request_withdrawal(
    db: Database, queue: ReleaseQueue, row: Row, reader: Reader, *, reason: str, now_ms: int
) -> None:
    """Withdraws at once; the statement is signed and logged by the worker.

    Raises:
        NotAuthenticated, NotAllowed: the reader is no admin of the repo.
        Conflict: the release is not out.
        InvalidInput: no reason.
    """
    account = _scoped(reader, row, "write")
    case = await read_case(db, row["id"])
    if Role.ADMIN not in await roles_on_repo(db, account.id, case.repo):
        raise NotAllowed(
            f"could not withdraw release {row['number']} of {case.repo.full_name}: {account.name} is not its admin",
            hint="The owner of the namespace, or an admin of the repo, can.",
        )
    await withdraw(db, case, actor=account, reason=reason, now_ms=now_ms)
    await queue.withdraw(row["id"])


def _scoped(reader: Reader, row: Row, scope: str) -> Account:
    reader.require_account()
    account = reader.account_for(row["repo_id"])
    if account is None or not reader.may(scope):
        raise NotAllowed(
            f"could not do this with this token: it has no scope '{scope}' on this repo",
            hint=f"Make a token with the scope '{scope}'.",
        )
    return account
