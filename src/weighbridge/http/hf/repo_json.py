"""The repo as JSON: of the visible revision and of nothing else.

    text = await describe(hub, repo, visible, reader, want=Want(blobs=True))

``downloads`` and ``likes`` are left out, since this hub does not count them: a zero would be a lie.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from weighbridge.accounts import ANONYMOUS, Reader
from weighbridge.bootstrap import Hub
from weighbridge.http.hf.measured import config_json, measured_facts, safetensors_json
from weighbridge.http.hf.times import rfc3339
from weighbridge.hub.access import visible_revision
from weighbridge.hub.audience import Audience
from weighbridge.hub.card import card_tags
from weighbridge.hub.commit import Commit
from weighbridge.hub.files import File, all_files
from weighbridge.hub.history import visible_history
from weighbridge.hub.repo import Repo
from weighbridge.hub.visible import CardOnly, Gated, Hidden, Outline, Readable

Described = Readable | Gated | CardOnly
MAX_KEPT_BYTES = 64 << 20
_encode = msgspec.json.Encoder().encode
_FORMATS = {".safetensors": "safetensors", ".gguf": "gguf", ".onnx": "onnx"}


@dataclass(frozen=True, slots=True)
class Parts:
    """What a revision says of itself, encoded: immutable, so it is kept from one request to the next."""

    siblings: msgspec.Raw
    card: msgspec.Raw
    tags: msgspec.Raw
    pipeline_tag: str | None
    library_name: str | None
    measured: dict[str, Any]
    """``safetensors`` and ``config``, where the hub measured them."""

    @property
    def size_bytes(self) -> int:
        """Memory that this takes, roughly."""
        return len(self.siblings) + len(self.card) + len(self.tags) + 500


class RevisionParts:
    """Parts by repo and commit, the most recently asked kept. What may be shown is decided anew at each request."""

    def __init__(self, max_bytes: int = MAX_KEPT_BYTES) -> None:
        self._max_bytes = max_bytes
        self._kept: OrderedDict[tuple[str, str, str], Parts] = OrderedDict()
        self._size_bytes = 0

    async def of(self, hub: Hub, revision: Commit | Outline, *, blobs: bool) -> Parts:
        """The parts of a revision; of an Outline without anything that comes from its files."""
        whole = isinstance(revision, Commit)
        key = (revision.repo_id, revision.oid, ("blobs" if blobs else "names") if whole else "card")
        parts = self._kept.get(key)
        if parts is not None:
            self._kept.move_to_end(key)
            return parts
        if isinstance(revision, Commit):
            files = await all_files(hub.db, revision)
            parts = make_parts(revision, files, facts=await measured_facts(hub, revision, files), blobs=blobs)
        else:
            parts = make_parts(revision, (), facts={}, blobs=blobs)
        self._keep(key, parts)
        return parts

    def _keep(self, key: tuple[str, str, str], parts: Parts) -> None:
        if key in self._kept or parts.size_bytes > self._max_bytes // 4:
            return  # made twice at the same time, or too big to keep
        self._kept[key] = parts
        self._size_bytes += parts.size_bytes
        while self._size_bytes > self._max_bytes:
            _, dropped = self._kept.popitem(last=False)
            self._size_bytes -= dropped.size_bytes


def make_parts(revision: Commit | Outline, files: Iterable[File], *, facts: Mapping[str, Any], blobs: bool) -> Parts:
    """The encoded parts of a revision that has these files, of which the hub measured these facts."""
    listed = list(files)
    measured = {"safetensors": safetensors_json(facts), "config": config_json(facts)}
    card = revision.card
    return Parts(
        siblings=msgspec.Raw(_encode([sibling(file, blobs=blobs) for file in listed])),
        card=msgspec.Raw(_encode(card)),
        tags=msgspec.Raw(_encode(tags_of(card, listed))),
        pipeline_tag=_text(card, "pipeline_tag"),
        library_name=_text(card, "library_name"),
        measured={key: value for key, value in measured.items() if value},
    )


def sibling(file: File, *, blobs: bool) -> dict[str, Any]:
    """A file as ``siblings`` has it; with sizes and ids when ``blobs``."""
    if not blobs:
        return {"rfilename": file.path}
    item: dict[str, Any] = {"rfilename": file.path, "size": file.size_bytes, "blobId": file.oid}
    if file.kind == "lfs":
        item["lfs"] = {"sha256": file.sha256, "size": file.size_bytes, "pointerSize": file.pointer_size_bytes}
    return item


def tags_of(card: dict[str, object], files: Iterable[File]) -> list[str]:
    """Tags as the Hugging Face Hub derives them: from the card, and from the kinds of file."""
    formats = {name for file in files for end, name in _FORMATS.items() if file.path.endswith(end)}
    return list(dict.fromkeys([*card_tags(card), *sorted(formats)]))


async def describe(
    hub: Hub,
    repo: Repo,
    visible: Described,
    reader: Reader,
    *,
    parts: RevisionParts,
    blobs: bool = False,
    siblings: bool = True,
    card: bool = True,
    expand: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """The repo JSON. ``expand``: these keys only, besides the ids; a key that this hub does not know is left out."""
    revision = visible.revision
    of = await parts.of(hub, revision, blobs=blobs)
    known: dict[str, Any] = {
        "_id": repo.id,
        "id": repo.full_name,
        "author": repo.namespace,
        "sha": revision.oid,
        "lastModified": rfc3339(revision.committed_ms),
        "createdAt": rfc3339(await _created_ms(hub, repo, visible, reader)),
        "private": await _is_private(hub, repo, visible, reader),
        "gated": _gated(repo, visible),
        "disabled": False,
        "tags": of.tags,
        "pipeline_tag": of.pipeline_tag,
        "library_name": of.library_name,
    }
    if repo.type == "model":
        known["modelId"] = repo.full_name
    if card or "cardData" in expand:
        known["cardData"] = of.card
    if isinstance(revision, Commit):
        known["usedStorage"] = revision.size_bytes
        known |= of.measured
        if siblings or "siblings" in expand:
            known["siblings"] = of.siblings
    if expand:
        return {key: value for key, value in known.items() if key in expand or key in ("_id", "id", "modelId")}
    return known


def _gated(repo: Repo, visible: Described) -> str | bool:
    """``auto``, ``manual`` or False: of the release that is seen; of a writer's tip, what was set for the next one."""
    if visible.release_number is not None and visible.weights != Audience.GATED:
        return False
    if repo.gated != "false":
        return repo.gated
    return "manual" if visible.weights == Audience.GATED else False


async def _is_private(hub: Hub, repo: Repo, visible: Described, reader: Reader) -> bool:
    """True when who is not logged in sees nothing of it."""
    if reader.account is None or max(visible.weights.rank, visible.inference.rank) >= Audience.GATED.rank:
        return False
    return isinstance(await visible_revision(hub.db, repo, "main", ANONYMOUS), Hidden)


async def _created_ms(hub: Hub, repo: Repo, visible: Described, reader: Reader) -> int:
    """When the repo came into being for this reader: for who sees releases only, the oldest that they see."""
    if visible.release_number is None:
        return repo.created_ms
    if visible.release_number == 1:
        return visible.revision.committed_ms
    history = await visible_history(hub.db, repo, "main", reader, limit=visible.release_number)
    return min((commit.committed_ms for commit in history), default=visible.revision.committed_ms)


def _text(card: Mapping[str, object], key: str) -> str | None:
    value = card.get(key)
    return value if isinstance(value, str) and value else None
