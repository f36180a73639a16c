"""Times in documents: RFC 3339 in UTC at whole seconds. Tables keep milliseconds since 1970.

rfc3339(0)                       # "1970-01-01T00:00:00Z"
"""

from __future__ import annotations

from datetime import UTC, datetime

from weighbridge.errors import InvalidInput

_FORM = "%Y-%m-%dT%H:%M:%SZ"


def rfc3339(at_ms: int) -> str:
    """The time as text; milliseconds are cut off."""
    return datetime.fromtimestamp(at_ms // 1000, tz=UTC).strftime(_FORM)


def parse_rfc3339(text: str) -> int:
    """Milliseconds since 1970 of a text that ``rfc3339`` wrote.

    Raises:
        InvalidInput: any other form.
    """
    try:
        at_ms = int(datetime.strptime(text, _FORM).replace(tzinfo=UTC).timestamp()) * 1000
    except ValueError as error:
        raise InvalidInput(f"could not read the time {text[:40]!r}: {error}") from error
    if rfc3339(at_ms) != text:
        raise InvalidInput(f"could not read the time {text[:40]!r}: not in the form {_FORM}")
    return at_ms
