"""Strict, bounded JSON: one value, valid UTF-8, no repeated key, limited size and depth."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from weighbridge.checkpoint.region import Malformed, Region

MAX_JSON_BYTES = 64 << 20


def read_json(region: Region, *, max_bytes: int = MAX_JSON_BYTES) -> Any:
    """The value that the whole region states. NaN and Infinity are allowed, as Python writes them into configurations.

    Raises:
        Malformed: not UTF-8, not one JSON value, a key repeated, too large or too deep.
    """
    if region.size_bytes > max_bytes:
        raise Malformed(f"{region.size_bytes} bytes of JSON, at most {max_bytes} are read", at_byte=region.start)
    data = region.read(0, region.size_bytes)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed("not valid UTF-8", at_byte=region.start + error.start) from error
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        at_byte = region.start + len(text[: error.pos].encode())
        raise Malformed(f"not valid JSON: {error.msg}", at_byte=at_byte) from error
    except _RepeatedKey as error:
        at_byte = region.start + max(data.rfind(json.dumps(error.key).encode()), 0)
        raise Malformed(f"the key {clip(error.key)} occurs twice", at_byte=at_byte) from error
    except RecursionError as error:
        raise Malformed("JSON nested too deeply", at_byte=region.start) from error
    except ValueError as error:  # an integer of more digits than Python converts
        raise Malformed("not valid JSON: a number is too long", at_byte=region.start) from error


def clip(value: object) -> str:
    """Text from a file that is not trusted, fit for a message: quoted, printable, at most 120 characters."""
    text = ascii(str(value)[:240])
    return text if len(text) <= 120 else f"{text[:116]}...'"


class _RepeatedKey(Exception):
    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        _refuse_repeated(pairs)
    return value


def _refuse_repeated(pairs: list[tuple[str, Any]]) -> NoReturn:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise _RepeatedKey(key)
        seen.add(key)
    raise AssertionError("no key is repeated")
