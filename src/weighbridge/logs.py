"""Logs: JSON lines or text on standard error, never a token.

    configure_logs(settings)
    structlog.get_logger("weighbridge.worker").info("release signed", release=release_id)

Everything goes one way, our own events and those of libraries, and passes one mask.
"""

from __future__ import annotations

import asyncio
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
FLUSH_AFTER_S = 0.1
_TOKEN = re.compile(r"\b(?:wb|hf)_[A-Za-z0-9_-]{8,}")
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
    """One line a request, without logging's machinery, a tenth of a second's lines at a time: it is on the hot path.

    Owned by the event loop's thread.
    """

    def __init__(self, settings: Settings, *, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._is_json = settings.log_format == "json"
        self._lines: list[str] = []
        self._second = 0
        self._stamp = ""
        self.is_on = settings.log_level in ("debug", "info")

    def write(self, *, method: str, path: str, status: int, sent_bytes: int, took_ms: float, request_id: str) -> None:
        """Adds a line. ``path`` comes without the query string, which may hold a signed URL's proof."""
        words = _json(_TOKEN.sub(MASK, path))
        if self._is_json:
            line = (
                f'{{"time":"{self._now()}","level":"info","logger":"weighbridge.request","event":"request",'
                f'"method":{_json(method)},"path":{words},"status":{status},"bytes":{sent_bytes},'
                f'"took_ms":{took_ms:.2f},"request_id":{_json(request_id)}}}\n'
            )
        else:
            line = (
                f"{self._now()} {_json(method)[1:-1]} {words} {status} {sent_bytes} B {took_ms:.1f} ms {request_id}\n"
            )
        if not self._lines:
            asyncio.get_running_loop().call_later(FLUSH_AFTER_S, self.flush)
        self._lines.append(line)

    def flush(self) -> None:
        """Writes the lines that wait."""
        lines, self._lines = self._lines, []
        if lines:
            self._stream.write("".join(lines))
            self._stream.flush()

    def _now(self) -> str:
        now_ms = time.time_ns() // 1_000_000
        second, thousandths = divmod(now_ms, 1000)
        if second != self._second:
            self._second = second
            self._stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._stamp}.{thousandths:03d}Z"


def _json(value: Any, **_options: Any) -> str:
    return msgspec.json.encode(value, enc_hook=str).decode("utf-8")
