"""Logs say what happened and never a secret."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from weighbridge.logs import RequestLog, configure_logs, masked_text
from weighbridge.settings import load_settings

ADMIN = "the-admin-token-0123456789"
TOKEN = "wb_9rQy3AcHPIAVYTk5GUAH7qkS5lKaaNbFezuvvWi6"


@pytest.fixture(autouse=True)
def untouched_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    uvicorn_level = logging.getLogger("uvicorn.error").level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.getLogger("uvicorn.error").setLevel(uvicorn_level)
    structlog.reset_defaults()


def logged(tmp_path: Path, **settings: str) -> io.StringIO:
    stream = io.StringIO()
    configure_logs(load_settings({"data": tmp_path, "admin_token": ADMIN, **settings}), stream=stream)
    return stream


def test_our_events_and_those_of_libraries_are_json_lines(tmp_path: Path) -> None:
    stream = logged(tmp_path)
    structlog.get_logger("weighbridge.worker").info("release signed", release="r1", bytes=3)
    logging.getLogger("uvicorn.error").warning("Invalid %s", "request", extra={"client": "c"})
    logging.getLogger("weighbridge.quiet").debug("not shown")
    ours, theirs = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (ours["event"], ours["release"], ours["bytes"]) == ("release signed", "r1", 3)
    assert (ours["logger"], ours["level"]) == ("weighbridge.worker", "info")
    assert (theirs["event"], theirs["client"], theirs["level"]) == ("Invalid request", "c", "warning")
    assert ours["time"].endswith("Z")


def test_text_for_people(tmp_path: Path) -> None:
    stream = logged(tmp_path, log_format="text")
    structlog.get_logger("weighbridge.worker").warning("worker died", exit_code=1)
    assert "worker died" in stream.getvalue()
    assert "exit_code=1" in stream.getvalue()


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_no_secret_is_ever_written(tmp_path: Path, log_format: str) -> None:
    stream = logged(tmp_path, log_format=log_format)
    log = structlog.get_logger("weighbridge.http")
    log.info("request", authorization=f"Bearer {TOKEN}", cookie="weighbridge_session=abc", password="hunter22hunter22")
    log.info(
        f"token {TOKEN} came", url=f"/x?t={TOKEN}", note=f"Authorization: Bearer {ADMIN}", db="postgresql://u:pw12@h"
    )
    log.info("hub at", admin=ADMIN, header="Basic dXNlcjpwYXNz")
    logging.getLogger("some.library").warning("sent %s", TOKEN)
    try:
        raise ValueError(f"bad token {TOKEN}")
    except ValueError:
        log.exception("failed")
    text = stream.getvalue()
    for secret in (TOKEN, ADMIN, "hunter22", "weighbridge_session=abc", "pw12", "dXNlcjpwYXNz"):
        assert secret not in text
    assert "bad token ********" in text


def test_words_that_are_no_secret_stay() -> None:
    text = "wb_ is our prefix; https://hub.example.org/acme/tiny; token_id 12; the bearer of news"
    assert masked_text(text) == text


@pytest.mark.parametrize("log_format", ["json", "text"])
async def test_request_log(tmp_path: Path, log_format: str) -> None:
    stream = io.StringIO()
    log = RequestLog(load_settings({"data": tmp_path, "log_format": log_format}), stream=stream)
    log.write(method="GET", path=f"/a\nb/{TOKEN}", status=200, sent_bytes=12, took_ms=1.234, request_id="id-1")
    log.flush()
    text = stream.getvalue()
    assert text.count("\n") == 1, "a path must not forge a line"
    assert TOKEN not in text
    if log_format == "json":
        line = json.loads(text)
        assert (line["status"], line["bytes"], line["took_ms"], line["request_id"]) == (200, 12, 1.23, "id-1")


def test_request_log_is_off_above_info(tmp_path: Path) -> None:
    assert not RequestLog(load_settings({"data": tmp_path, "log_level": "warning"})).is_on
