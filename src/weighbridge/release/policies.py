"""Which policy decides on a release: the one asked for, else the repo's, the namespace's, the hub's.

    policy = await policy_of(db, repo, asked="responsible", hub_policy="open")

A step down this line may only be stricter than the one above it: who runs a namespace binds its repos and releases.
A policy is named (``open``, ``responsible``) or given as its own text.
"""

from __future__ import annotations

from weighbridge.accounts import get_account
from weighbridge.errors import InvalidInput, Refused
from weighbridge.hub.naming import Repo
from weighbridge.policy import READY, Policy, check_policy, load_policy, ready_policy, stricter
from weighbridge.storage.database import Session

MAX_POLICY_BYTES = 64 << 10


async def policy_of(session: Session, repo: Repo, *, asked: str | None, hub_policy: str) -> Policy:
    """The policy that decides on a release of this repo.

    Raises:
        InvalidInput: ``asked`` is no policy.
        Refused: it is looser than the one that the repo or the namespace has.
    """
    floor = await _floor(session, repo, hub_policy)
    if not asked:
        return floor
    wanted = _read(asked, "the release")
    if wanted.sha256 == floor.sha256:
        return floor
    if asked not in READY:
        await check_policy(wanted)
    _require_stricter(floor, wanted, repo)
    return wanted


async def policy_stands(session: Session, repo: Repo, text: str, *, hub_policy: str) -> bool:
    """Whether the policy that decided is still as strict as the repo's and the namespace's are now."""
    return _is_stricter(await _floor(session, repo, hub_policy), load_policy(text))


async def _floor(session: Session, repo: Repo, hub_policy: str) -> Policy:
    namespace = await get_account(session, repo.namespace_id)
    floor = _read(namespace.policy or hub_policy, "the namespace")
    if repo.policy:
        own = _read(repo.policy, "the repo")
        floor = own if _is_stricter(floor, own) else floor
    return floor


def _read(policy: str, whose: str) -> Policy:
    if len(policy.encode()) > MAX_POLICY_BYTES:
        raise InvalidInput(f"could not use the policy of {whose}: it is over {MAX_POLICY_BYTES} bytes")
    if policy in READY:
        return load_policy(ready_policy(policy))
    if "\n" not in policy:
        raise InvalidInput(
            f"could not use policy {policy[:80]!r} of {whose}: no such policy",
            hint=f"One of {', '.join(READY)}, or a file with a policy's text.",
        )
    return load_policy(policy)


def _is_stricter(floor: Policy, policy: Policy) -> bool:
    if floor.sha256 == policy.sha256:
        return True
    try:
        stricter(floor, policy)
    except Refused:
        return False
    return True


def _require_stricter(floor: Policy, wanted: Policy, repo: Repo) -> None:
    try:
        stricter(floor, wanted)
    except Refused as error:
        raise Refused(
            f"could not use policy {wanted.name!r}: {repo.full_name} has policy {floor.name!r}, and a release may only"
            f" be stricter ({error.message})",
            missing=error.missing,
            hint=f"Leave --policy out, or name {floor.name!r}.",
        ) from error
