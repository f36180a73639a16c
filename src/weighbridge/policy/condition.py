"""What a CEL condition reads, found without running it.

CEL answers ``a.b == 1 || true`` with true though ``b`` is absent. A decision must not rest on a fact that is not there,
so the paths that a condition reads are found here and looked up in the facts first; ``has(path)`` is how a rule says
that a fact may be absent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from weighbridge.errors import InvalidInput

MAX_CONDITION_CHARS = 2_000
MAX_NESTING = 16
MAX_COMPREHENSIONS = 4

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|//[^\n]*)
  | (?P<string>[rRbB]{0,2}(?:\"\"\"(?:.|\n)*?\"\"\"|'''(?:.|\n)*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
  | (?P<number>0[xX][0-9a-fA-F]+[uU]?|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?[uU]?)
  | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<sign>>=|<=|==|!=|&&|\|\||[-+*/%!?:.,<>(){}\[\]])
    """,
    re.VERBOSE,
)
_MACROS = frozenset({"all", "exists", "exists_one", "map", "filter"})
_CONSTANTS = frozenset({"true", "false", "null", "in"})


class _Token(msgspec.Struct, frozen=True):
    kind: str
    text: str


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What a condition reads: dotted paths in order of appearance, those in ``has()``, and each ``path >= number``."""

    paths: tuple[str, ...]
    tested: tuple[str, ...]
    minimums: dict[str, int]


def check_bounds(condition: str) -> None:
    """Refuses a condition that is too long, nested too deep, or loops in loops.

    Raises:
        InvalidInput: a bound is exceeded, or a character is none of CEL's.
    """
    if len(condition) > MAX_CONDITION_CHARS:
        raise InvalidInput(f"a condition has {len(condition)} characters, at most {MAX_CONDITION_CHARS} are allowed")
    depth = loops = 0
    for token in _tokens(condition):
        if token.text in ("(", "[", "{") and token.kind == "sign":
            depth += 1
        elif token.text in (")", "]", "}") and token.kind == "sign":
            depth -= 1
        loops += token.kind == "name" and token.text in _MACROS
        if depth > MAX_NESTING:
            raise InvalidInput(f"a condition is nested more than {MAX_NESTING} deep")
    if loops > MAX_COMPREHENSIONS:
        raise InvalidInput(
            f"a condition has {loops} of all, exists, map and filter, at most {MAX_COMPREHENSIONS} are allowed"
        )


def read_condition(condition: str) -> Reading:
    """The paths that the condition reads."""
    tokens = list(_tokens(condition))
    bound = _bound_names(tokens)
    paths: dict[str, None] = {}
    tested: dict[str, None] = {}
    minimums: dict[str, int] = {}
    position = 0
    while position < len(tokens):
        token = tokens[position]
        if token.kind != "name" or token.text in _CONSTANTS or _text(tokens, position - 1) == ".":
            position += 1
            continue
        path, end = _path(tokens, position)
        if path and path.split(".")[0] not in bound:
            paths[path] = None
            if _text(tokens, position - 1) == "(" and _text(tokens, position - 2) == "has":
                tested[path] = None
            number = _text(tokens, end + 1)
            if _text(tokens, end) == ">=" and number.isdigit():
                minimums[path] = int(number)
        position = max(end, position + 1)
    return Reading(paths=tuple(paths), tested=tuple(tested), minimums=minimums)


def missing_facts(reading: Reading, facts: Mapping[str, Any]) -> list[str]:
    """The paths that are read, not tested by ``has()``, and absent (or null) in the facts."""
    return [path for path in reading.paths if not _is_tested(path, reading) and look_up(path, facts) is None]


def look_up(path: str, facts: Mapping[str, Any]) -> Any:
    """The value at a dotted path; None where there is none."""
    value: Any = facts
    for name in path.split("."):
        if not isinstance(value, Mapping) or name not in value:
            return None
        value = value[name]  # pyright: ignore[reportUnknownVariableType]
    return value  # pyright: ignore[reportUnknownVariableType]


def _is_tested(path: str, reading: Reading) -> bool:
    return any(path == tested or path.startswith(f"{tested}.") for tested in reading.tested)


def _tokens(condition: str) -> Iterator[_Token]:
    position = 0
    while position < len(condition):
        match = _TOKEN.match(condition, position)
        if match is None:
            raise InvalidInput(f"a condition has {condition[position]!r} at character {position}, which is no CEL")
        position = match.end()
        if match.lastgroup and match.lastgroup != "space":
            yield _Token(match.lastgroup, match.group())


def _text(tokens: list[_Token], position: int) -> str:
    """The token's text; empty out of range and for a string, which is never a sign or a name."""
    if not 0 <= position < len(tokens) or tokens[position].kind == "string":
        return ""
    return tokens[position].text


def _bound_names(tokens: list[_Token]) -> set[str]:
    """Names that a macro binds, as ``f`` in ``formats.all(f, f == "gguf")``."""
    return {
        tokens[at + 2].text
        for at in range(len(tokens) - 3)
        if tokens[at].text in _MACROS and tokens[at + 1].text == "(" and tokens[at + 3].text == ","
    }


def _path(tokens: list[_Token], start: int) -> tuple[str, int]:
    """The dotted path that starts here, without a method at its end ("" for a function), and the position after it."""
    names = [tokens[start].text]
    position = start + 1
    while True:
        if _text(tokens, position) == "." and position + 1 < len(tokens) and tokens[position + 1].kind == "name":
            names.append(tokens[position + 1].text)
            position += 2
        elif _text(tokens, position) == "[" and _is_key(tokens, position):
            names.append(tokens[position + 1].text[1:-1])
            position += 3
        else:
            break
    if _text(tokens, position) == "(":
        names.pop()
    return ".".join(names), position


def _is_key(tokens: list[_Token], position: int) -> bool:
    """Whether ``["name"]`` stands here."""
    inside = tokens[position + 1] if position + 1 < len(tokens) else _Token("", "")
    return inside.kind == "string" and inside.text[0] in "\"'" and _text(tokens, position + 2) == "]"
