"""Query parameters, as the Hugging Face clients write them: ``true``, ``True``, ``1``; repeated keys; ``expand[]``."""

from __future__ import annotations

from urllib.parse import parse_qsl

from starlette.requests import Request

from weighbridge.errors import InvalidInput
from weighbridge.http.hf.routing import printable

MAX_FIELDS = 2048


class Query:
    """The query of one request, read once. Every value is free of control characters."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        self.pairs = pairs

    @classmethod
    def of(cls, request: Request) -> Query:
        """The query of ``request``."""
        raw: bytes = request.scope["query_string"]
        return cls(parse_pairs(raw)) if raw else _EMPTY

    def text(self, name: str, default: str = "") -> str:
        """The last value of ``name``."""
        return next((value for key, value in reversed(self.pairs) if key == name), default)

    def texts(self, name: str) -> list[str]:
        """Every value of ``name`` or ``name[]``."""
        return [value for key, value in self.pairs if key in (name, f"{name}[]")]

    def flag(self, name: str) -> bool:
        """True for ``true``, ``True`` and ``1``."""
        return self.text(name).lower() in ("true", "1")

    def number(self, name: str, default: int, *, least: int = 0, most: int) -> int:
        """The whole number of ``name``, cut to ``most``.

        Raises:
            InvalidInput: it is not a whole number, or under ``least``.
        """
        text = self.text(name)
        if not text:
            return default
        if not text.isascii() or not text.isdigit() or len(text) > 18 or int(text) < least:
            raise InvalidInput(f"could not use {name}={text[:40]!r}: it is a whole number from {least}")
        return min(int(text), most)


def parse_pairs(raw: bytes) -> list[tuple[str, str]]:
    """Name and value pairs of a query string or a form body.

    Raises:
        InvalidInput: it is not UTF-8, holds control characters, or more than 2,048 fields.
    """
    try:
        pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except (UnicodeDecodeError, ValueError) as error:
        raise InvalidInput("could not read the request: its fields are too many, or not URL-encoded UTF-8") from error
    return [(printable(name), printable(value)) for name, value in pairs]


_EMPTY = Query([])
