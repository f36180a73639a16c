"""Times as the Hugging Face API writes them."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache


@lru_cache(maxsize=4096)
def rfc3339(time_ms: int) -> str:
    """``time_ms`` (milliseconds since 1970, UTC) as ``2026-11-24T13:41:00.000Z``."""
    # isoformat takes a third of strftime's time, and every answer about a repo holds two of these.
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec='milliseconds')[:-6]}Z"
