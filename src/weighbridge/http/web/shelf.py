"""What the home page and the search list: repos that this reader sees, newest first, each with its newest release.

shelf = await find_shelf(hub, reader, search="tiny", limit=30)
"""

from __future__ import annotations

from typing import cast

import msgspec

from weighbridge.accounts import Reader
from weighbridge.bootstrap import Hub
from weighbridge.errors import NotFound
from weighbridge.http.web.words import Look, rfc3339
from weighbridge.hub.access import CardOnly, Gated, Hidden, Readable, Visible, Withdrawn
from weighbridge.hub.listing import ListedRepo, list_visible_repos
from weighbridge.release.view import find_release

KINDS = ("model", "dataset")


class ShelfItem(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the list. ``size_bytes`` is None where the reader may not know it."""

    type: str
    namespace: str
    name: str
    path: str
    pipeline_tag: str
    license: str
    size_bytes: int | None
    digest: str
    number: int | None
    look: Look
    changed_at: str
    changed_ms: int


class Shelf(msgspec.Struct, frozen=True, kw_only=True):
    """The list, and whether there is more than it shows."""

    items: list[ShelfItem]
    more: bool


async def find_shelf(hub: Hub, reader: Reader, *, search: str, limit: int) -> Shelf:
    """At most ``limit`` repos whose name holds ``search``, newest change first."""
    listed: list[ListedRepo] = []
    for kind in KINDS:
        found = await list_visible_repos(hub.db, reader, type=kind, search=search, limit=limit + 1)
        listed.extend(found.repos)
    items = [await _item(hub, reader, entry) for entry in listed if not isinstance(entry.visible, Hidden)]
    items.sort(key=lambda item: -item.changed_ms)
    return Shelf(items=items[:limit], more=len(items) > limit)


def repo_path(kind: str, full_name: str) -> str:
    """The path of a repo's page."""
    return f"/datasets/{full_name}" if kind == "dataset" else f"/{full_name}"


def visible_look(visible: Visible) -> Look:
    """How openness is shown: a word, an icon, a tone."""
    match visible:
        case Withdrawn():
            return Look("bad", "bad", "Withdrawn")
        case Gated():
            return Look("wait", "wait", "Gated")
        case CardOnly():
            return Look("run", "run", "Hosted only")
        case Readable(release_number=None):
            return Look("", "later", "Not released")
        case Readable(weights=weights):
            return (
                Look("ok", "ok", weights.capitalize())
                if weights == "public"
                else Look("", "later", weights.capitalize())
            )
        case Hidden():
            return Look("", "later", "Not released")


async def _item(hub: Hub, reader: Reader, entry: ListedRepo) -> ShelfItem:
    repo, visible = entry.repo, entry.visible
    assert not isinstance(visible, Hidden)
    card = {} if isinstance(visible, Withdrawn) else visible.revision.card
    listed = isinstance(visible, Readable | Gated)
    return ShelfItem(
        type=repo.type,
        namespace=repo.namespace,
        name=repo.name,
        path=repo_path(repo.type, repo.full_name),
        pipeline_tag=card_text(card, "pipeline_tag"),
        license=card_text(card, "license"),
        size_bytes=visible.revision.size_bytes if listed else None,
        digest=await _digest(hub, reader, entry),
        number=visible.release_number,
        look=visible_look(visible),
        changed_at=rfc3339(visible.revision.committed_ms),
        changed_ms=visible.revision.committed_ms,
    )


def card_text(card: dict[str, object], key: str) -> str:
    """A card's entry as short text; the card is an author's, so anything may stand there."""
    return ", ".join(card_words(card, key)[:5])[:96]


def card_words(card: dict[str, object], key: str) -> list[str]:
    """A card's entry as words: of a list its texts and numbers, else the one text or number."""
    value = card.get(key)
    entries = cast("list[object]", value) if isinstance(value, list) else [value]
    return [str(entry)[:96] for entry in entries if isinstance(entry, str | int | float)]


async def _digest(hub: Hub, reader: Reader, entry: ListedRepo) -> str:
    number = None if isinstance(entry.visible, Hidden) else entry.visible.release_number
    if number is None:
        return ""
    try:
        row = await find_release(hub.db, entry.repo, number, reader)
    except NotFound:
        return ""
    return str(row["digest"])
