"""Times as the Hugging Face API writes them."""

from __future__ import annotations

from datetime import UTC, datetime


def rfc3339(time_ms: int) -> str:
    """``time_ms`` (milliseconds since 1970, UTC) as ``2026-11-24T13:41:00.000Z``."""
    moment = datetime.fromtimestamp(time_ms / 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time_ms % 1000:03d}Z"
