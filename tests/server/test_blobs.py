"""Ranges and conditions as RFC 9110 has them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import Response

from weighbridge.errors import EntryNotFound, StorageError
from weighbridge.http.blobs import byte_range, content_disposition, send_blob
from weighbridge.storage.blobs import open_local_blobs

ETAG = '"0123456789abcdef"'
BODY = bytes(range(256)) * 8


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("bytes=0-9", (0, 10)),
        ("bytes=90-", (90, 100)),
        ("bytes=90-1000", (90, 100)),
        ("bytes=-1", (99, 100)),
        ("bytes=-1000", (0, 100)),
        ("Bytes=5-5", (5, 6)),
        ("bytes= 5 - 6 ", (5, 7)),
        ("bytes=100-", (100, 100)),
        ("bytes=100-200", (100, 100)),
        ("bytes=-0", (100, 100)),
        ("bytes=9-5", None),
        ("bytes=0-1,5-6", None),
        ("bytes=", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("items=0-1", None),
        ("bytes=0x1-2", None),
        ("bytes=" + "9" * 40 + "-", None),
        ("", None),
    ],
)
def test_byte_range(text: str, expected: tuple[int, int] | None) -> None:
    assert byte_range(text, 100) == expected


@given(text=st.text(alphabet="bytes=0123456789-, ", max_size=24), size=st.integers(0, 10_000))
def test_byte_range_never_leaves_the_file(text: str, size: int) -> None:
    found = byte_range(text, size)
    assert found is None or 0 <= found[0] <= found[1] <= size


@given(start=st.integers(0, 500), length=st.integers(1, 500), size=st.integers(1, 600))
def test_byte_range_is_a_slice(start: int, length: int, size: int) -> None:
    whole = bytes(i % 251 for i in range(size))
    found = byte_range(f"bytes={start}-{start + length - 1}", size)
    assert found is not None
    assert whole[found[0] : found[1]] == whole[start : start + length]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a/b/model.safetensors", "inline; filename*=UTF-8''model.safetensors; filename=\"model.safetensors\""),
        ("数据.bin", "inline; filename*=UTF-8''%E6%95%B0%E6%8D%AE.bin; filename=\"__.bin\""),
        ('a"\r\nX: y', "inline; filename*=UTF-8''a%22%0D%0AX%3A%20y; filename=\"a___X: y\""),
    ],
)
def test_content_disposition(name: str, expected: str) -> None:
    assert content_disposition(name) == expected


async def answer(folder: Path, method: str = "GET", **headers: str) -> tuple[Response, bytes]:
    sha256 = hashlib.sha256(BODY).hexdigest()
    store = open_local_blobs(folder / "blobs")
    if not await store.has(sha256):
        await store.put_bytes(BODY)
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": "/", "query_string": b"", "headers": raw}
    response = send_blob(Request(scope), sha256, len(BODY), etag=ETAG, blobs=store)
    sent: list[bytes] = []

    async def send(message) -> None:
        sent.append(message.get("body", b""))

    await response(scope, None, send)  # type: ignore[arg-type]
    await store.close()
    return response, b"".join(sent)


@pytest.mark.parametrize(
    ("headers", "status", "body"),
    [
        ({}, 200, BODY),
        ({"range": "bytes=3-5"}, 206, BODY[3:6]),
        ({"range": "bytes=3-5", "if_range": ETAG}, 206, BODY[3:6]),
        ({"range": "bytes=3-5", "if_range": '"other"'}, 200, BODY),
        ({"range": "bytes=3-5", "if_range": "W/" + ETAG}, 200, BODY),
        ({"range": "bytes=3-5", "if_range": "Tue, 24 Nov 2026 10:00:00 GMT"}, 200, BODY),
        ({"range": "bytes=3-5,9-10"}, 200, BODY),
        ({"range": "bytes=2048-"}, 416, b""),
        ({"if_none_match": ETAG}, 304, b""),
        ({"if_none_match": f'"x", W/{ETAG}'}, 304, b""),
        ({"if_none_match": "*"}, 304, b""),
        ({"if_none_match": '"x"'}, 200, BODY),
    ],
)
async def test_conditions(tmp_path: Path, headers: dict[str, str], status: int, body: bytes) -> None:
    response, sent = await answer(tmp_path, **headers)
    assert (response.status_code, sent) == (status, body)
    assert response.headers["etag"] == ETAG
    assert response.headers["accept-ranges"] == "bytes"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["content-security-policy"].startswith("sandbox")
    if status == 416:
        assert response.headers["content-range"] == f"bytes */{len(BODY)}"
    if status in (200, 206):
        assert response.headers["content-length"] == str(len(body))
    assert ("content-range" in response.headers) == (status in (206, 416))


async def test_head_ignores_ranges(tmp_path: Path) -> None:
    response, sent = await answer(tmp_path, "HEAD", range="bytes=3-5")
    assert (response.status_code, response.headers["content-length"], sent) == (200, str(len(BODY)), b"")


async def test_a_blob_that_is_not_there_is_an_error_before_the_first_byte(tmp_path: Path) -> None:
    store = open_local_blobs(tmp_path / "blobs")
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}
    response = send_blob(Request(scope), "ab" * 32, 10, blobs=store)
    sent: list[object] = []

    async def send(message) -> None:
        sent.append(message)

    with pytest.raises((StorageError, EntryNotFound)):
        await response(scope, None, send)  # type: ignore[arg-type]
    assert sent == []
    await store.close()
