"""``POST /api/validate-yaml``: what is wrong with a card's front matter, before it is pushed.

Bounded, since anybody may call it: 256 KiB of front matter, 10,000 nodes, 32 levels, no aliases.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, cast

import msgspec
import yaml
from starlette.requests import Request
from starlette.responses import Response

from weighbridge.http.hf.card_rules import Remarks, check_metadata
from weighbridge.http.json import answer, read_json
from weighbridge.yaml_text import FastLoader

MAX_CONTENT_BYTES = 4 << 20
MAX_FRONT_MATTER_CHARS = 256 << 10
MAX_NODES = 10_000
MAX_DEPTH = 32

_FRONT_MATTER = re.compile(r"\A\ufeff?---[ \t]*\r?\n(?P<text>.*?)^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)
_Loader: Any = FastLoader


class Card(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What clients send."""

    content: str
    repo_type: str | None = None


async def validate_yaml(request: Request) -> Response:
    """``{"errors": […], "warnings": […]}``; 400 when there are errors."""
    card = await read_json(request, Card, max_bytes=MAX_CONTENT_BYTES)
    remarks = check_card(card.content, repo_type=card.repo_type or "model")
    body = {
        "errors": [{"message": message} for message in remarks.errors],
        "warnings": [{"message": message} for message in remarks.warnings],
    }
    if not remarks.errors:
        return answer(body)
    body_with_error = {**body, "error": "Invalid metadata in README.md: " + "; ".join(remarks.errors[:10])}
    return answer(body_with_error, status=400)


def check_card(content: str, *, repo_type: str) -> Remarks:
    """What is wrong with the front matter of this README."""
    found = _FRONT_MATTER.match(content)
    if found is None:
        if re.match(r"\A\ufeff?---[ \t]*\r?\n", content):
            return Remarks(errors=["The metadata block is not closed: a line `---` is missing after it"])
        return Remarks(warnings=["There is no metadata block at the top of the README (between two lines `---`)"])
    text = found["text"]
    if len(text) > MAX_FRONT_MATTER_CHARS:
        return Remarks(errors=[f"The metadata block is over {MAX_FRONT_MATTER_CHARS} characters"])
    try:
        problem = _unbounded(text) or _repeated_key(text)
        metadata: object = None if problem else yaml.load(text, Loader=_Loader)  # noqa: S506 (a safe loader)
    except (yaml.YAMLError, ValueError, TypeError, OverflowError, RecursionError) as error:
        return Remarks(errors=[_in_words(error)])
    if problem:
        return Remarks(errors=[problem])
    if metadata is None:
        return Remarks(warnings=["The metadata block is empty"])
    if not isinstance(metadata, dict):
        return Remarks(errors=["The metadata block is not a mapping of names to values"])
    return check_metadata(cast("dict[str, Any]", metadata), repo_type=repo_type)


def _unbounded(text: str) -> str:
    """Why this may not be loaded; empty when it may."""
    nodes = depth = 0
    for event in _events(text):
        if isinstance(event, yaml.AliasEvent):
            return "The metadata block uses YAML aliases (`*name`), which are not allowed"
        nodes += isinstance(event, yaml.NodeEvent)
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if nodes > MAX_NODES or depth > MAX_DEPTH:
            return f"The metadata block has over {MAX_NODES} values or {MAX_DEPTH} levels"
    return ""


def _repeated_key(text: str) -> str:
    """Which key comes twice in one mapping (YAML forbids it, the loader takes the last); empty when none does."""
    waiting: list[yaml.Node | None] = [_node(text)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, yaml.SequenceNode):
            waiting.extend(cast("list[yaml.Node]", node.value))
        elif isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in cast("list[tuple[yaml.Node, yaml.Node]]", node.value):
                name = str(key.value) if isinstance(key, yaml.ScalarNode) else ""
                if name and name in seen:
                    return f'The key "{name}" comes twice (line {key.start_mark.line + 2})'
                seen.add(name)
                waiting.append(value)
    return ""


def _events(text: str) -> Iterator[yaml.Event]:
    return cast("Iterator[yaml.Event]", yaml.parse(text, Loader=_Loader))  # pyright: ignore[reportUnknownMemberType]


def _node(text: str) -> yaml.Node | None:
    return cast("yaml.Node | None", yaml.compose(text, Loader=_Loader))  # pyright: ignore[reportUnknownMemberType]


def _in_words(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"The metadata block is not YAML: {error.problem} (line {error.problem_mark.line + 2})"
    return "The metadata block is not YAML that can be read"
