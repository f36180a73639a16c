"""Logs: JSON lines or text on standard error, never a token.

    configure_logs(settings)
    structlog.get_logger("weighbridge.worker").info("release signed", release=release_id)

Everything goes one way, our own events and those of libraries, and passes one mask.
"""

from __future__ import annotations

import logging
import re
import sys
import time
from collections.abc import Callable, MutableMapping
from typing import Any, TextIO

import msgspec
import structlog

from weighbridge.settings import SECRETS, Settings

MASK = "********"
_SECRET_KEYS = re.compile(r"authorization|cookie|password|passwd|secret|token(?!_id)|api_key", re.IGNORECASE)
_SECRET_TEXT = re.compile(
    r"\b(?:wb|hf)_[A-Za-z0-9_-]{8,}|(?<=[Bb]earer )\S{8,}|(?<=[Bb]asic )\S+|(?<=weighbridge_session=)[^;\s]+|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"
)

EventDict = MutableMapping[str, Any]


def configure_logs(settings: Settings, *, stream: TextIO | None = None) -> None:
    """Sends structlog's and logging's events to ``stream`` (standard error) as the settings want them."""
    shared = [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.format_exc_info,
        secrets_masked([str(getattr(settings, name)) for name in SECRETS if getattr(settings, name)]),
    ]
    render: Any = (
        structlog.processors.JSONRenderer(serializer=_json)
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0, timestamp_key="time")
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.log_level.upper())
    # uvicorn tells of every process start and every client that sends nonsense; the first is ours to tell.
    logging.getLogger("uvicorn.error").setLevel(max(logging.WARNING, root.level))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def secrets_masked(known: list[str]) -> Callable[[Any, str, EventDict], EventDict]:
    """A structlog processor: masks values under telling names, what looks like a token, and ``known`` secrets."""

    def mask(_logger: Any, _method: str, event: EventDict) -> EventDict:
        for key, value in event.items():
            if isinstance(value, str):
                event[key] = MASK if _SECRET_KEYS.search(key) else masked_text(value, known)
        return event

    return mask


def masked_text(text: str, known: list[str] | None = None) -> str:
    """``text`` without anything that looks like a token, a password in a URL, or is one of ``known``."""
    for secret in known or ():
        text = text.replace(secret, MASK)
    return _SECRET_TEXT.sub(MASK, text)


class RequestLog:
    """One line a request, written without logging's machinery: it is on the hot path of every metadata request."""

    def __init__(self, settings: Settings, *, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._is_json = settings.log_format == "json"
        self.is_on = settings.log_level in ("debug", "info")

    def write(self, *, method: str, path: str, status: int, sent_bytes: int, took_ms: float, request_id: str) -> None:
        """Writes the line. ``path`` comes without the query string, which may hold a signed URL's proof."""
        now = time.time()
        stamp = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now))}.{int(now * 1000) % 1000:03d}Z"
        path = masked_text(path)
        if self._is_json:
            line = _json(
                {
                    "time": stamp,
                    "level": "info",
                    "logger": "weighbridge.request",
                    "event": "request",
                    "method": method,
                    "path": path,
                    "status": status,
                    "bytes": sent_bytes,
                    "took_ms": round(took_ms, 2),
                    "request_id": request_id,
                }
            )
        else:
            line = f"{stamp} {method} {path!r} {status} {sent_bytes} B {took_ms:.1f} ms {request_id}"
        self._stream.write(line + "\n")


def _json(value: Any, **_options: Any) -> str:
    return msgspec.json.encode(value, enc_hook=str).decode("utf-8")
