"""Canonical JSON (RFC 8785): one value, one encoding, so that a digest of the text is a digest of the value.

text = canonical_json({"b": 1, "a": 2})        # b'{"a":2,"b":1}'
value = parse_canonical(text, limit_bytes=1 << 20)
"""

from __future__ import annotations

from typing import Any

import msgspec
import rfc8785

from weighbridge.errors import InvalidInput


def canonical_json(value: Any) -> bytes:
    """The RFC 8785 encoding of ``value``.

    Raises:
        InvalidInput: it holds something that JSON cannot say exactly (NaN, an integer past 2**53, a lone surrogate).
    """
    try:
        return rfc8785.dumps(value)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"could not encode as canonical JSON: {error}") from error


def parse_canonical(text: bytes, *, limit_bytes: int) -> Any:
    """The value that ``text`` encodes, if and only if ``text`` is that value's one canonical encoding.

    Raises:
        InvalidInput: too long, not JSON, or JSON written another way (spaces, key order, repeated keys, escapes).
    """
    if len(text) > limit_bytes:
        raise InvalidInput(f"could not read JSON: {len(text)} bytes, the limit is {limit_bytes}")
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise InvalidInput(f"could not read JSON: {error}") from error
    if canonical_json(value) != text:
        raise InvalidInput("could not read JSON: it is not in canonical form (RFC 8785)")
    return value
