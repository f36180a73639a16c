"""The YAML block at the head of a model card, read within bounds: 64 KiB, no aliases, no tags, 20 levels.

    block = find_front_matter("---\\nlicense: mit\\n---\\n# Tiny\\n")
    block.metadata                                  # {"license": "mit"}

Values come out as JSON: dates stay text, as they were written.
"""

from __future__ import annotations

import re
from typing import Any, cast

import msgspec
import yaml

from weighbridge.errors import InvalidInput
from weighbridge.yaml_text import PlainLoader

MAX_FRONT_MATTER_BYTES = 64 << 10
MAX_DEPTH = 20
# The form that the Hugging Face clients read (huggingface_hub.repocard.REGEX_YAML_BLOCK).
_BLOCK = re.compile(r"\A(\s*---[\r\n]+)([\S\s]*?)([\r\n]+---(?:\r\n|\n|\Z))")
_EMPTY = re.compile(r"\A\s*---[\r\n]+---(?:\r\n|\n|\Z)")


class FrontMatter(msgspec.Struct, frozen=True, kw_only=True):
    """Where the block's YAML lies in the text, and what it says. ``start`` and ``end`` are offsets, end exclusive."""

    metadata: dict[str, Any]
    start: int
    end: int
    body_start: int


def find_front_matter(text: str) -> FrontMatter | None:
    """The block at the head of a card; None when the card has none.

    Raises:
        InvalidInput: it is too large, not YAML, or not a mapping of text keys to JSON values.
    """
    empty = _EMPTY.match(text)
    if empty:
        place = empty.group().rindex("---")
        return FrontMatter(metadata={}, start=place, end=place, body_start=empty.end())
    block = _BLOCK.match(text)
    if block is None:
        return None
    return FrontMatter(metadata=read_metadata(block[2]), start=block.start(2), end=block.end(2), body_start=block.end())


def read_metadata(text: str) -> dict[str, Any]:
    """What the YAML says.

    Raises:
        InvalidInput: as ``find_front_matter``.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_FRONT_MATTER_BYTES:
        raise InvalidInput(f"could not read the card: its front matter has over {MAX_FRONT_MATTER_BYTES} bytes")
    try:
        value = _load(text)
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidInput(
            f"could not read the card: its front matter is not plain YAML: {_in_words(error)}"
        ) from error
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidInput("could not read the card: its front matter is not a list of `key: value` lines")
    return _json(value, what="the front matter")


def _load(text: str) -> Any:
    loader = _Loader(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()  # pyright: ignore[reportUnknownMemberType]


def _in_words(error: Exception) -> str:
    """The error on one line."""
    words = " ".join(str(error).split())[:300]
    return "".join(char if char.isprintable() else "?" for char in words)


class _Loader(PlainLoader):
    """Safe YAML without aliases, dates, repeated keys, or depth."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """One node, one level deeper."""
        if self.check_event(yaml.AliasEvent):  # pyright: ignore[reportUnknownMemberType]
            raise yaml.YAMLError("aliases are not accepted")
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise yaml.YAMLError(f"it is nested deeper than {MAX_DEPTH} levels")
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """The mapping; a key that comes twice is an error, since readers disagree on which one counts."""
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if len(set(keys)) != len(keys):
            raise yaml.YAMLError(f"a key comes twice: {next(key for key in keys if keys.count(key) > 1)[:80]}")
        return super().construct_mapping(node, deep)


# What plain words mean is that of YAML 1.2, as on the Hugging Face Hub. PyYAML's own rules are those of 1.1, where the
# language `no` is false, `1:30` is ninety and a date is an object.
_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", "-+0123456789"),
    ("float", r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+][0-9]+)?", "-+.0123456789"),
    ("null", r"~|null|Null|NULL|", "~nN\0"),
):
    _Loader.add_implicit_resolver(  # pyright: ignore[reportUnknownMemberType]
        f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_pattern})\Z"), [*_first, ""] if _tag == "null" else list(_first)
    )


def _json(value: Any, *, what: str) -> Any:
    """The value, if JSON has its like.

    Raises:
        InvalidInput: bytes, sets, numbers without a decimal form, keys that are not text.
    """
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int) and -(2**53) < value < 2**53:
        return value
    if isinstance(value, float) and value == value and abs(value) < 2**53:
        return value
    if isinstance(value, list):
        return [_json(one, what=what) for one in cast(list[Any], value)]
    if isinstance(value, dict):
        items = cast(dict[Any, Any], value)
        if all(isinstance(key, str) for key in items):
            return {key: _json(one, what=key) for key, one in items.items()}
    raise InvalidInput(f"could not read the card: {what[:80]} holds a value that JSON cannot say")
