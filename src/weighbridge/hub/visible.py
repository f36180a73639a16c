"""What ``access`` answers: how one reader sees one revision.

    match await visible_revision(db, repo, "main", reader):
        case Readable(revision=commit): ...     # names and bytes
        case Gated(revision=commit): ...        # names and sizes, no bytes
        case CardOnly(revision=outline): ...    # the card, no names, no bytes
        case Withdrawn(advisory=advisory): ...  # why it is gone
        case Hidden(): ...                      # there is nothing

``CardOnly`` and ``Withdrawn`` hold an ``Outline``, which no function that lists files takes: what must not be told is
not within reach.
"""

from __future__ import annotations

from enum import StrEnum
from typing import cast

import msgspec

from weighbridge.hub.audience import Audience
from weighbridge.hub.commit import Commit


class GateReason(StrEnum):
    """Why a gate is closed to a reader."""

    ANONYMOUS = "anonymous"
    NOT_ASKED = "not-asked"
    PENDING = "pending"
    REJECTED = "rejected"


class HiddenLevel(StrEnum):
    """What does not exist for the reader."""

    REPO = "repo"
    REVISION = "revision"


class Outline(msgspec.Struct, frozen=True, kw_only=True):
    """What may be told of a commit whose files may not be: no names, no count, no sizes."""

    repo_id: str
    oid: str
    title: str
    author: str
    committed_ms: int
    card_json: str
    withdrawn: bool = False

    @property
    def card(self) -> dict[str, object]:
        """The README's front matter; empty when there is none, or the release was withdrawn."""
        return cast("dict[str, object]", msgspec.json.decode(self.card_json))


class Readable(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Names and bytes. ``release_number`` and dials are of the release that this commit is; a writer's tip has none."""

    revision: Commit
    release_number: int | None
    weights: Audience
    inference: Audience


class Gated(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Card, names and sizes; bytes only after access is granted."""

    revision: Commit
    release_number: int
    weights: Audience
    inference: Audience
    reason: GateReason


class CardOnly(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The page and the card; no names, no bytes: the weights are hidden, the inference is open (or an auditor asks)."""

    revision: Outline
    release_number: int
    weights: Audience
    inference: Audience


class Withdrawn(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The advisory; no card, no names, no bytes."""

    advisory: dict[str, object]
    revision: Outline
    release_number: int


class Hidden(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """It does not exist for this reader: the repo, or only this revision of it."""

    level: HiddenLevel


Visible = Readable | Gated | CardOnly | Withdrawn | Hidden


def outline_of(commit: Commit, *, withdrawn: bool = False) -> Outline:
    """What may be told of ``commit`` without its files; of a withdrawn one not the card either."""
    return Outline(
        repo_id=commit.repo_id,
        oid=commit.oid,
        title=commit.title,
        author=commit.author,
        committed_ms=commit.committed_ms,
        card_json="{}" if withdrawn else commit.card_json,
        withdrawn=withdrawn,
    )
