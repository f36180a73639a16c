"""The upload calls of docs/format.md section 9, over HTTP against a real hub."""

from __future__ import annotations

import hashlib
import os
import secrets

import pytest
import urllib3

from tests.running import RunningHub
from weighbridge.hub.git import blob_oid

pytestmark = pytest.mark.slow
API = "/api/weighbridge/v1"


class Uploader:
    def __init__(self, hub: RunningHub, name: str) -> None:
        self.hub, self.name = hub, name
        self.token = hub.user(name)
        self.http = urllib3.PoolManager(retries=False)
        body = {"name": "m", "type": "model", "private": True}
        assert hub.send("POST", "/api/repos/create", body, self.token).status == 200
        self.repo = f"{API}/repos/models/{name}/m"

    def call(self, method: str, path: str, body: bytes = b"", token: str | None = None, **headers: str):
        sent = {key.replace("_", "-"): value for key, value in headers.items()}
        sent["Authorization"] = f"Bearer {token or self.token}"
        return self.http.request(method, self.hub.url + path, body=body, headers=sent)

    def begin(self, size_bytes: int) -> str:
        answer = self.call("POST", f"{self.repo}/uploads", Upload_Length=str(size_bytes))
        assert (answer.status, answer.headers["Upload-Offset"]) == (201, "0")
        return answer.headers["Location"]

    def patch(self, url: str, offset: int, body: bytes, token: str | None = None):
        kind = "application/partial-upload"
        return self.call("PATCH", url, body, token, Upload_Offset=str(offset), Content_Type=kind)

    def has(self, content: bytes) -> bool:
        sha256 = hashlib.sha256(content).hexdigest()
        wish = {"files": [{"sha256": sha256, "size_bytes": len(content)}]}
        return self.hub.send("POST", f"{self.repo}/have", wish, self.token).json()["have"] == [sha256]


@pytest.fixture
def uploader(running_hub: RunningHub) -> Uploader:
    return Uploader(running_hub, f"u{secrets.token_hex(4)}")


def test_a_file_in_one_request(uploader: Uploader) -> None:
    content = b"hello " + secrets.token_hex(8).encode()
    assert not uploader.has(content)
    answer = uploader.call(
        "POST", f"{uploader.repo}/uploads", content, Upload_Length=str(len(content)), Upload_Complete="?1"
    )
    assert (answer.status, answer.headers["Upload-Complete"]) == (201, "?1")
    sha256 = hashlib.sha256(content).hexdigest()
    facts = {"sha256": sha256, "git_oid": blob_oid(content), "size_bytes": len(content), "is_text": True}
    assert answer.json() == facts
    assert uploader.has(content)


def test_a_file_in_pieces_and_a_wrong_offset(uploader: Uploader) -> None:
    content = os.urandom(3 << 20)
    url = uploader.begin(len(content))
    first = uploader.patch(url, 0, content[: 1 << 20])
    assert (first.status, first.headers["Upload-Offset"]) == (204, str(1 << 20))
    wrong = uploader.patch(url, 5, content[5:])
    assert (wrong.status, wrong.headers["Upload-Offset"]) == (409, str(1 << 20))
    head = uploader.call("HEAD", url)
    assert (head.status, head.headers["Upload-Offset"], head.headers["Upload-Complete"]) == (204, str(1 << 20), "?0")
    last = uploader.patch(url, 1 << 20, content[1 << 20 :])
    assert (last.status, last.json()["sha256"]) == (200, hashlib.sha256(content).hexdigest())
    assert uploader.call("HEAD", url).status == 404
    assert uploader.has(content)


def test_an_upload_outlives_the_process_that_began_it(start_hub) -> None:
    hub: RunningHub = start_hub()
    uploader = Uploader(hub, "alice")
    content = os.urandom(2 << 20)
    url = uploader.begin(len(content))
    assert uploader.patch(url, 0, content[: 1 << 20]).status == 204
    hub.stop()
    hub.start()
    assert uploader.call("HEAD", url).headers["Upload-Offset"] == str(1 << 20)
    last = uploader.patch(url, 1 << 20, content[1 << 20 :])
    assert (last.status, last.json()["sha256"]) == (200, hashlib.sha256(content).hexdigest())


def test_more_than_was_said_is_refused(uploader: Uploader) -> None:
    url = uploader.begin(10)
    assert uploader.patch(url, 0, b"x" * 11).status == 400
    assert uploader.call("HEAD", url).headers["Upload-Offset"] == "0"
    chunked = uploader.http.request(
        "PATCH", uploader.hub.url + url, body=iter([b"12345", b"678901"]), chunked=True,
        headers={"Authorization": f"Bearer {uploader.token}", "Upload-Offset": "0",
                 "Content-Type": "application/partial-upload"},
    )  # fmt: skip
    assert chunked.status == 400


def test_nobody_else_touches_it(uploader: Uploader) -> None:
    other = Uploader(uploader.hub, f"u{secrets.token_hex(4)}")
    url = uploader.begin(10)
    assert other.call("HEAD", url).status == 404
    assert other.patch(url, 0, b"0123456789").status == 404
    assert other.call("DELETE", url).status == 404
    begun = other.call("POST", f"{uploader.repo}/uploads", Upload_Length="5")
    assert begun.status == 404
    assert uploader.call("DELETE", url).status == 204
    assert uploader.call("HEAD", url).status == 404


def test_knowing_a_digest_gives_nothing(uploader: Uploader) -> None:
    content = secrets.token_bytes(32)
    sent = uploader.call("POST", f"{uploader.repo}/uploads", content, Upload_Length="32", Upload_Complete="?1")
    assert sent.status == 201
    other = Uploader(uploader.hub, f"u{secrets.token_hex(4)}")
    assert uploader.has(content)
    assert not other.has(content)


@pytest.mark.parametrize("length", ["", "x", "-1"])
def test_a_length_is_needed(uploader: Uploader, length: str) -> None:
    assert uploader.call("POST", f"{uploader.repo}/uploads", Upload_Length=length).status == 400


def test_a_read_only_token_cannot_upload(uploader: Uploader) -> None:
    token = uploader.hub.user(uploader.name, "read")
    assert uploader.call("POST", f"{uploader.repo}/uploads", token=token, Upload_Length="1").status == 403
    assert uploader.call("POST", f"{uploader.repo}/uploads", token="wb_nothing", Upload_Length="1").status == 401
