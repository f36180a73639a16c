"""Making a repo public or private: it asks for a turn of the dials, and only the policy grants one upwards."""

from __future__ import annotations

from weighbridge.accounts import Reader
from weighbridge.bootstrap import Hub
from weighbridge.errors import Conflict, Refused
from weighbridge.http.api.releases import queue_of
from weighbridge.hub.access import visible_revision, widest_dials
from weighbridge.hub.audience import Audience
from weighbridge.hub.files import all_files
from weighbridge.hub.repo import Repo, update_settings
from weighbridge.hub.visible import Readable
from weighbridge.policy import Policy
from weighbridge.release.candidate import Wish, WishedFile, put_forward
from weighbridge.release.policies import policy_of

MADE_BY_THE_HUB = frozenset({".gitattributes"})
"""What a new repo holds before its author sent anything."""


async def ask_visibility(hub: Hub, repo: Repo, reader: Reader, *, private: bool) -> Repo:
    """The repo, with the wish recorded; under policy ``open`` main's tip is put forward at once.

    Raises:
        Refused: the policy wants more than a wish; ``missing`` names its rules.
        Conflict: it is to be private, and a release of it is out.
    """
    is_out = max(dial.rank for dial in await widest_dials(hub.db, repo)) >= Audience.GATED.rank
    if private and is_out:
        raise Conflict(f"could not make {repo.full_name} private: a release of it is out", hint=_withdraw(repo))
    repo = await update_settings(hub.db, repo, reader, wish="internal" if private else "public", now_ms=hub.clock())
    if not private and not is_out:
        await _ask_for_public(hub, repo, reader)
    return repo


async def ask_gate(hub: Hub, repo: Repo, reader: Reader, *, gated: str) -> Repo:
    """The repo, with ``gated`` (false, auto, manual) set for its next releases; opening a gate asks as above.

    Raises:
        Refused: as ``ask_visibility``.
        Conflict: a gate is wanted, and the weights are out to everybody.
    """
    weights, _ = await widest_dials(hub.db, repo)
    if gated != "false" and weights == Audience.PUBLIC:
        raise Conflict(f"could not gate {repo.full_name}: its weights are out to everybody", hint=_withdraw(repo))
    repo = await update_settings(hub.db, repo, reader, gated=gated, now_ms=hub.clock())
    if gated == "false" and weights == Audience.GATED:
        await _ask_for_public(hub, repo, reader)
    return repo


def _withdraw(repo: Repo) -> str:
    return f"What was read cannot be called back; `weighbridge withdraw {repo.full_name}` stops it from here on."


async def _ask_for_public(hub: Hub, repo: Repo, reader: Reader) -> None:
    tip = await visible_revision(hub.db, repo, "main", reader)
    files = await all_files(hub.db, tip.revision) if isinstance(tip, Readable) else []
    if {file.path for file in files} <= MADE_BY_THE_HUB:
        return
    policy = await policy_of(hub.db, repo, asked=None, hub_policy=hub.settings.default_policy)
    if policy.name != "open":
        raise _refusal(repo, policy)
    audience = "public" if repo.gated == "false" else "gated"
    wish = Wish(
        files=[WishedFile(path=file.path, sha256=file.sha256, size_bytes=file.size_bytes) for file in files],
        weights=audience,
        inference=audience,
        message="Make public",
    )
    placed = await put_forward(
        hub.db, hub.blobs, repo, reader, wish, hub_policy=hub.settings.default_policy, now_ms=hub.clock()
    )
    if placed.created:
        await queue_of(hub).release(placed.row["id"])


def _refusal(repo: Repo, policy: Policy) -> Refused:
    return Refused(
        f"could not make {repo.full_name} public: policy '{policy.name}' decides on that, release by release",
        missing=tuple(rule.title for rule in policy.rules),
        hint=f"Put it forward: `weighbridge release DIR {repo.full_name} --weights public`.",
    )
