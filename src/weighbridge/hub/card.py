"""The model card's front matter, as data: parsed within bounds, since it is what anybody may have written.

card = front_matter(b"---\\nlicense: mit\\n---\\n# Tiny\\n")      # {"license": "mit"}
card_tags(card)                                                # ["license:mit"]
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Iterator
from typing import Any, cast

import yaml

from weighbridge.yaml_text import FastLoader

MAX_FRONT_MATTER_BYTES = 64 * 1024
MAX_NODES = 10_000
MAX_DEPTH = 20
MAX_README_BYTES = 1 << 20
_FENCED = re.compile(rb"\A(?:\xef\xbb\xbf)?---[ \t]*\r?\n(.*?)(?:\r?\n)?^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)
_Loader: Any = FastLoader


def front_matter(readme: bytes) -> dict[str, object]:
    """The mapping between the ``---`` lines at the top of a README; empty when there is none that can be used.

    Not used: front matter above 64 KiB, 10,000 nodes or 20 levels, with aliases (which can grow without bound), or that
    is not a YAML mapping. What JSON lacks becomes text: dates, NaN, integers beyond 64 bits, bytes.
    """
    found = _FENCED.match(readme[: MAX_FRONT_MATTER_BYTES + 16])
    if found is None:
        return {}
    try:
        text = found[1].decode()
        if not _is_bounded(text):
            return {}
        loaded: object = yaml.load(text, Loader=_Loader)  # noqa: S506 (a safe loader)
        plain = _plain(loaded)
    except (yaml.YAMLError, ValueError, TypeError, OverflowError):
        return {}
    return cast("dict[str, object]", plain) if isinstance(plain, dict) else {}


def card_tags(card: dict[str, object]) -> list[str]:
    """The tags by which a repo with this card is found: its own, and those that its fields stand for."""
    tags = _texts(card.get("tags"))
    for key in ("pipeline_tag", "library_name"):
        tags += _texts(card.get(key))
    for key, prefix in (("license", "license:"), ("base_model", "base_model:"), ("datasets", "dataset:")):
        tags += [prefix + value for value in _texts(card.get(key))]
    tags += _texts(card.get("language"))
    return list(dict.fromkeys(tags))


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value] if value else []
    if isinstance(value, list):
        return [item for item in cast(list[object], value) if isinstance(item, str) and item]
    return []


def _is_bounded(text: str) -> bool:
    nodes = depth = 0
    for event in cast("Iterator[object]", yaml.parse(text, Loader=_Loader)):  # pyright: ignore[reportUnknownMemberType]
        if isinstance(event, yaml.AliasEvent):
            return False
        nodes += isinstance(event, yaml.NodeEvent)
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if nodes > MAX_NODES or depth > MAX_DEPTH:
            return False
    return True


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in cast(dict[object, object], value).items()}
    if isinstance(value, list | tuple | set):
        return [_plain(item) for item in cast(list[object], value)]
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, datetime.date):
        return value.isoformat()
    return str(value)
