"""Making a repo public or private: turns of the dials. Upwards only a policy grants one; downwards it holds at once."""

from __future__ import annotations

from weighbridge.accounts import Reader
from weighbridge.bootstrap import Hub
from weighbridge.http.api.releases import queue_of
from weighbridge.hub.access import visible_revision, widest_dials
from weighbridge.hub.audience import Audience
from weighbridge.hub.files import all_files
from weighbridge.hub.repo import Repo, update_settings
from weighbridge.hub.visible import Readable
from weighbridge.release.visibility import close_releases, open_tip

MADE_BY_THE_HUB = frozenset({".gitattributes"})
"""What a new repo holds before its author sent anything."""


async def ask_visibility(hub: Hub, repo: Repo, reader: Reader, *, private: bool) -> Repo:
    """The repo, with the wish recorded. Private turns both dials of every release down to internal.

    Public puts main's tip forward, and returns when it is out; a repo in which a release is out is public already.

    Raises:
        Refused: the policy wants more than a wish; ``missing`` names its rules.
    """
    repo = await update_settings(hub.db, repo, reader, wish="internal" if private else "public", now_ms=hub.clock())
    if private:
        await _close(hub, repo, reader, weights=Audience.INTERNAL, inference=Audience.INTERNAL)
    elif max(dial.rank for dial in await widest_dials(hub.db, repo)) < Audience.GATED.rank:
        await _ask_for_public(hub, repo, reader)
    return repo


async def ask_gate(hub: Hub, repo: Repo, reader: Reader, *, gated: str) -> Repo:
    """The repo, with ``gated`` (false, auto, manual) set. A gate turns public weights down; opening one asks as above.

    Raises:
        Refused: as ``ask_visibility``.
    """
    repo = await update_settings(hub.db, repo, reader, gated=gated, now_ms=hub.clock())
    if gated != "false":
        await _close(hub, repo, reader, weights=Audience.GATED, inference=Audience.PUBLIC)
    else:
        weights, _ = await widest_dials(hub.db, repo)
        if weights == Audience.GATED:
            await _ask_for_public(hub, repo, reader)
    return repo


async def _close(hub: Hub, repo: Repo, reader: Reader, *, weights: Audience, inference: Audience) -> None:
    await close_releases(hub.db, repo, reader, weights=weights.value, inference=inference.value, now_ms=hub.clock())


async def _ask_for_public(hub: Hub, repo: Repo, reader: Reader) -> None:
    tip = await visible_revision(hub.db, repo, "main", reader)
    files = await all_files(hub.db, tip.revision) if isinstance(tip, Readable) else []
    if {file.path for file in files} <= MADE_BY_THE_HUB:
        return
    await open_tip(
        hub.db, hub.blobs, queue_of(hub), repo, reader, hub_policy=hub.settings.default_policy, now_ms=hub.clock()
    )
