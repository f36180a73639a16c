"""What is counted of a request, and under which name."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from weighbridge.http.measure import Measured, Metrics, route_of
from weighbridge.logs import RequestLog
from weighbridge.settings import load_settings


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/", "/"),
        ("/healthz", "/healthz"),
        ("/api/whoami-v2", "/api/whoami-v2"),
        ("/api/models/acme/tiny", "/api/models"),
        ("/api/datasets", "/api/datasets"),
        ("/api/weighbridge/v1/repos/models/acme/tiny/releases", "/api/weighbridge/v1"),
        ("/api/anything/else", "/api"),
        ("/acme/tiny/resolve/main/model.safetensors", "resolve"),
        ("/datasets/acme/tiny/resolve/main/a/b", "resolve"),
        ("/tlog/checkpoint", "/tlog"),
        ("/static/style.css", "/static"),
        ("/acme/tiny", "page"),
        ("/acme", "page"),
        ("", "page"),
    ],
)
def test_route_of(path: str, route: str) -> None:
    assert route_of(path) == route


async def ask(tmp_path: Path, messages: list[dict[str, Any]], method: str = "GET") -> tuple[str, dict[str, Any]]:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["state"] = {"request_id": "id-7"}
        for message in messages:
            if message["type"] == "break":
                raise ConnectionResetError
            await send(message)

    async def send(_message: Any) -> None:
        return

    metrics, stream = Metrics(), io.StringIO()
    log = RequestLog(load_settings({"data": tmp_path}), stream=stream)
    scope = {"type": "http", "method": method, "path": "/acme/tiny/resolve/main/f", "query_string": b"t=secret"}
    try:
        await Measured(app, metrics, log)(scope, None, send)  # type: ignore[arg-type]
    except ConnectionResetError:
        assert messages[-1]["type"] == "break"
    log.flush()
    assert b"sent_bytes" not in metrics.text()
    return (metrics.text() + metrics.keepers_text()).decode(), json.loads(stream.getvalue())


START = {"type": "http.response.start", "status": 206, "headers": []}
FILE = {"type": "http.response.zerocopysend", "file": 0, "offset": 0, "count": 1000, "more_body": True}
BODY = {"type": "http.response.body", "body": b"12345"}


async def test_bytes_of_files_and_of_bodies_count(tmp_path: Path) -> None:
    text, line = await ask(tmp_path, [START, FILE, BODY])
    assert 'weighbridge_http_requests_total{method="GET",route="resolve",status="206"} 1.0' in text
    assert 'weighbridge_http_sent_bytes_total{route="resolve"} 1005.0' in text
    assert "weighbridge_http_requests_in_flight 0.0" in text
    assert (line["status"], line["bytes"], line["request_id"], line["method"]) == (206, 1005, "id-7", "GET")
    assert "secret" not in json.dumps(line)


async def test_head_sends_no_bytes(tmp_path: Path) -> None:
    text, line = await ask(tmp_path, [START, FILE, BODY], "HEAD")
    assert line["bytes"] == 0
    assert 'sent_bytes_total{route="resolve"} 0.0' in text or 'sent_bytes_total{route="resolve"}' not in text


async def test_a_client_that_goes_before_the_answer_is_499(tmp_path: Path) -> None:
    text, line = await ask(tmp_path, [{"type": "break"}])
    assert line["status"] == 499
    assert "weighbridge_http_requests_in_flight 0.0" in text


async def test_invented_methods_share_one_name(tmp_path: Path) -> None:
    text, _ = await ask(tmp_path, [START, BODY], "BREW")
    assert 'method="other"' in text
    assert "BREW" not in text
