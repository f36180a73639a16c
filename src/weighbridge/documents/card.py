"""A model card: README.md with a block of metadata at its head.

card = parse_card(text)
card.metadata["license"], card.body
card_facts(text)                                # what a policy sees of it
"""

from __future__ import annotations

from typing import Any, cast

import msgspec

from weighbridge.documents.completion import CardChange, complete_card
from weighbridge.documents.front_matter import find_front_matter
from weighbridge.errors import InvalidInput

__all__ = ["Card", "CardChange", "card_facts", "complete_card", "parse_card"]

_ALWAYS = ("license", "pipeline_tag", "library_name")


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """What the front matter says (JSON values), and the Markdown after it."""

    metadata: dict[str, Any]
    body: str


def parse_card(text: str) -> Card:
    """The card of a README.

    Raises:
        InvalidInput: its front matter cannot be read.
    """
    block = find_front_matter(text)
    if block is None:
        return Card(metadata={}, body=text)
    return Card(metadata=block.metadata, body=text[block.body_start :])


def card_facts(readme_text: str | None) -> dict[str, Any]:
    """What a policy sees: ``present``; ``license``, ``pipeline_tag``, ``library_name`` ("" when not said); other keys.

    A card whose front matter cannot be read is not present, and ``problem`` says why: a rule on it is then not passed.
    """
    nothing: dict[str, Any] = dict.fromkeys(_ALWAYS, "")
    if readme_text is None or not readme_text.strip():
        return {**nothing, "present": False}
    try:
        metadata = parse_card(readme_text).metadata
    except InvalidInput as error:
        return {**nothing, "present": False, "problem": error.message}
    return {**nothing, **metadata, **{key: _words(metadata.get(key)) for key in _ALWAYS}, "present": True}


def _words(value: Any) -> str:
    """A text, or texts with commas; "" for anything else."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, list):
        return ", ".join(one.strip() for one in cast(list[Any], value) if isinstance(one, str))
    return ""
