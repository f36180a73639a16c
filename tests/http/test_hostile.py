"""Whatever is sent, the answer is a clear 2xx, 3xx or 4xx: never a 500, and never half an answer."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.http.asgi import call
from tests.http.seed import Seed, model_files
from weighbridge.bootstrap import close_hub, open_hub
from weighbridge.http.app import create_app
from weighbridge.settings import load_settings

SHAPES = [
    "/api/models/{}/{}",
    "/api/models/alice/tiny/{}",
    "/api/models/alice/tiny/revision/{}",
    "/api/models/alice/tiny/tree/{}/{}",
    "/api/models/alice/tiny/tree/main/{}",
    "/api/models/alice/tiny/commits/{}",
    "/api/models/alice/tiny/paths-info/{}",
    "/alice/tiny/resolve/{}/{}",
    "/alice/tiny/resolve/main/{}",
    "/datasets/{}/{}/resolve/main/{}",
    "/api/{}",
    "/api/weighbridge/v1/repos/{}/alice/tiny/releases/{}",
    "/api/weighbridge/v1/repos/models/alice/tiny/releases/{}",
    "/api/weighbridge/v1/uploads/{}",
    "/api/weighbridge/v1/accounts/{}/tokens",
    "/api/weighbridge/v1/hub/roles/{}/{}",
    "/{}",
    "/{}/{}",
    "/alice/tiny/{}",
    "/alice/tiny/tree/{}",
    "/alice/tiny/releases/{}",
    "/tlog/{}",
    "/static/{}",
]
PARAMETERS = (
    "limit",
    "p",
    "cursor",
    "sort",
    "filter",
    "search",
    "author",
    "expand",
    "recursive",
    "blobs",
    "after",
    "q",
)
WORDS = [
    b"main",
    b"alice",
    b"tiny",
    b"..",
    b".",
    b"",
    b"refs/heads/main",
    b"config.json",
    b"1",
    b"latest",
    b"-1",
    b"9" * 30,
]
pieces = st.one_of(st.binary(max_size=40), st.text(max_size=30).map(str.encode), st.sampled_from(WORDS))
ranges = st.one_of(
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30),
    st.tuples(st.integers(0, 2**70), st.integers(0, 2**70)).map(lambda pair: f"bytes={pair[0]}-{pair[1]}"),
    st.sampled_from(["bytes=-0", "bytes=0-", "bytes=-99999", "bytes=0-1,3-4", "bytes=" + "9" * 400 + "-"]),
)


class Running:
    def __init__(self, folder: str) -> None:
        self.runner = asyncio.Runner()
        self.runner.run(self._open(folder))

    async def _open(self, folder: str) -> None:
        data = Path(folder) / "hub"
        self.hub = await open_hub(load_settings({"data": data, "public_url": "http://hub.test"}))
        self.app = create_app(self.hub)
        seed = Seed(self.hub)
        self.token = await seed.user("alice")
        repo = await seed.repo("alice/tiny", by="alice")
        await seed.release(repo, await seed.commit(repo, model_files(), by="alice"), by="alice")

    def close(self) -> None:
        self.runner.run(close_hub(self.hub))
        self.runner.close()


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with tempfile.TemporaryDirectory() as folder:
        found = Running(folder)
        yield found
        found.close()


@settings(max_examples=400, deadline=None)
@given(
    shape=st.sampled_from(SHAPES),
    parts=st.lists(pieces, min_size=3, max_size=3),
    keep_slashes=st.booleans(),
    query=st.lists(st.tuples(st.sampled_from(PARAMETERS), pieces), max_size=3),
    method=st.sampled_from(["GET", "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"]),
    headers=st.fixed_dictionaries({}, optional={"Range": ranges, "If-Range": ranges, "If-None-Match": ranges}),
    body=st.one_of(
        st.just(b""), st.binary(max_size=60), st.sampled_from([b"{}", b"[]", b"null", b"[" * 5000, b'"\\u0000"'])
    ),
    logged_in=st.booleans(),
)
def test_no_request_breaks_the_hub(
    running: Running,
    shape: str,
    parts: list[bytes],
    keep_slashes: bool,
    query: list[tuple[str, bytes]],
    method: str,
    headers: dict[str, str],
    body: bytes,
    logged_in: bool,
) -> None:
    quoted = [quote_from_bytes(part, safe="/" if keep_slashes else "") for part in parts]
    target = shape.format(*quoted)
    if query:
        target += "?" + "&".join(f"{name}={quote_from_bytes(value, safe='')}" for name, value in query)
    token = running.token if logged_in else None
    answer = running.runner.run(call(running.app, method, target, token=token, headers=headers, body=body))
    assert 200 <= answer.status < 500 or answer.status == 501, (method, target, answer)
    if answer.status >= 400 and answer.status != 416 and method != "HEAD":
        assert answer.json["error"], answer
