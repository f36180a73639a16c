from __future__ import annotations

import hashlib

import pytest
from starlette.types import ASGIApp

from tests.http.asgi import call
from tests.http.seed import README, WEIGHTS, Seed, model_files
from weighbridge.hub.commit import Commit
from weighbridge.hub.git import blob_oid

FILE = "/alice/tiny/resolve/main/model.safetensors"


@pytest.fixture
async def released(seed: Seed) -> Commit:
    repo = await seed.repo("alice/Tiny", by="alice")
    candidate = await seed.commit(repo, model_files(), by="alice")
    return await seed.release(repo, candidate, by="alice")


@pytest.mark.parametrize("method", ["HEAD", "GET"])
async def test_an_lfs_file_has_its_sha256_as_etag(app: ASGIApp, released: Commit, method: str) -> None:
    answer = await call(app, method, FILE)
    assert answer.status == 200
    assert answer.header("etag") == answer.header("x-linked-etag") == f'"{hashlib.sha256(WEIGHTS).hexdigest()}"'
    assert answer.header("x-repo-commit") == released.oid
    assert answer.header("content-length") == answer.header("x-linked-size") == str(len(WEIGHTS))
    assert answer.header("accept-ranges") == "bytes"
    assert 'filename="model.safetensors"' in (answer.header("content-disposition") or "")
    assert answer.header("x-content-type-options") == "nosniff"
    assert answer.body == (WEIGHTS if method == "GET" else b"")


async def test_a_git_file_has_its_blob_id_as_etag(app: ASGIApp, released: Commit) -> None:
    answer = await call(app, "GET", "/alice/tiny/resolve/main/README.md")
    assert (answer.header("etag"), answer.body) == (f'"{blob_oid(README)}"', README)
    assert answer.header("x-linked-etag") is None


@pytest.mark.parametrize(
    ("asked", "content_range", "part"),
    [
        ("bytes=0-9", f"bytes 0-9/{len(WEIGHTS)}", WEIGHTS[:10]),
        ("bytes=100-", f"bytes 100-{len(WEIGHTS) - 1}/{len(WEIGHTS)}", WEIGHTS[100:]),
        ("bytes=-7", f"bytes {len(WEIGHTS) - 7}-{len(WEIGHTS) - 1}/{len(WEIGHTS)}", WEIGHTS[-7:]),
    ],
)
async def test_a_range_is_a_part(app: ASGIApp, released: Commit, asked: str, content_range: str, part: bytes) -> None:
    answer = await call(app, "GET", FILE, headers={"Range": asked})
    assert (answer.status, answer.header("content-range"), answer.body) == (206, content_range, part)
    assert answer.header("x-repo-commit") == released.oid


async def test_a_range_beyond_the_end_is_416(app: ASGIApp, released: Commit) -> None:
    answer = await call(app, "GET", FILE, headers={"Range": f"bytes={len(WEIGHTS)}-"})
    assert (answer.status, answer.header("content-range")) == (416, f"bytes */{len(WEIGHTS)}")


async def test_if_range_and_if_none_match(app: ASGIApp, released: Commit) -> None:
    etag = (await call(app, "HEAD", FILE)).header("etag") or ""
    same = await call(app, "GET", FILE, headers={"Range": "bytes=0-3", "If-Range": etag})
    assert same.status == 206
    other = await call(app, "GET", FILE, headers={"Range": "bytes=0-3", "If-Range": '"other"'})
    assert (other.status, other.body) == (200, WEIGHTS)
    known = await call(app, "GET", FILE, headers={"If-None-Match": etag})
    assert (known.status, known.body) == (304, b"")


async def test_a_missing_file_names_the_commit(app: ASGIApp, released: Commit) -> None:
    for path in ("none.bin", "onnx", "onnx/../config.json", "%2e%2e/%2e%2e/etc/passwd"):
        answer = await call(app, "HEAD", f"/alice/tiny/resolve/main/{path}")
        assert (answer.status, answer.header("x-error-code")) == (404, "EntryNotFound")
        assert answer.header("x-repo-commit") == released.oid


async def test_datasets_have_their_own_prefix(app: ASGIApp, seed: Seed) -> None:
    repo = await seed.repo("alice/rows", by="alice", repo_type="dataset")
    candidate = await seed.commit(repo, {"data/train.csv": b"a,b\n"}, by="alice")
    await seed.release(repo, candidate, by="alice")
    assert (await call(app, "GET", "/datasets/alice/rows/resolve/main/data/train.csv")).body == b"a,b\n"
    assert (await call(app, "GET", "/alice/rows/resolve/main/data/train.csv")).header("x-error-code") == "RepoNotFound"
    assert (await call(app, "GET", "/api/datasets/alice/rows")).json["id"] == "alice/rows"


async def test_gated_weights_show_names_and_the_card_and_no_other_byte(app: ASGIApp, seed: Seed) -> None:
    repo = await seed.repo("alice/Tiny", by="alice", gated="manual")
    candidate = await seed.commit(repo, model_files(), by="alice")
    await seed.release(repo, candidate, by="alice", weights="gated")
    info = (await call(app, "GET", "/api/models/alice/tiny?blobs=true")).json
    assert info["gated"] == "manual"
    assert len(info["siblings"]) == len(model_files()) + 2
    for token, status in ((None, 401), (seed.tokens["bob"], 403)):
        answer = await call(app, "GET", FILE, token=token)
        assert (answer.status, answer.header("x-error-code")) == (status, "GatedRepo")
        assert (await call(app, "HEAD", "/alice/tiny/resolve/main/none", token=token)).header(
            "x-error-code"
        ) == "GatedRepo"
        assert (await call(app, "GET", "/api/models/alice/tiny/auth-check", token=token)).status == status
    assert (await call(app, "GET", "/alice/tiny/resolve/main/README.md")).body == README
    assert (await call(app, "GET", FILE, token=seed.tokens["alice"])).body == WEIGHTS


async def test_open_inference_with_hidden_weights_shows_the_card_alone(app: ASGIApp, seed: Seed) -> None:
    repo = await seed.repo("alice/Tiny", by="alice")
    candidate = await seed.commit(repo, model_files(), by="alice")
    release = await seed.release(repo, candidate, by="alice", weights="internal", inference="public")
    info = (
        await call(
            app,
            "GET",
            "/api/models/alice/tiny?blobs=true&expand=siblings&expand=usedStorage&expand=cardData&expand=tags",
        )
    ).json
    assert not {"siblings", "usedStorage"} & set(info)
    assert info["cardData"]["license"] == "apache-2.0"
    assert "safetensors" not in info["tags"]
    for path in ("tree/main", "tree/main/onnx"):
        answer = await call(app, "GET", f"/api/models/alice/tiny/{path}")
        assert (answer.status, answer.header("x-error-code")) == (403, "NotAllowed")
    assert (await call(app, "POST", "/api/models/alice/tiny/paths-info/main", body=b"paths=config.json")).status == 403
    answer = await call(app, "GET", FILE)
    assert answer.status == 403
    assert "inference" in answer.json["error"]
    assert (await call(app, "GET", "/alice/tiny/resolve/main/README.md")).body == README
    assert (await call(app, "GET", "/api/models/alice/tiny/commits/main")).json[0]["id"] == release.oid


async def test_a_withdrawn_release_is_disabled_with_its_advisory_everywhere(app: ASGIApp, seed: Seed) -> None:
    repo = await seed.repo("alice/Tiny", by="alice")
    candidate = await seed.commit(repo, model_files(), by="alice")
    await seed.release(repo, candidate, by="alice")
    await seed.withdraw(repo, 1, by="alice", reason="A key leaked")
    for method, path in [
        ("GET", "/api/models/alice/tiny"),
        ("GET", "/api/models/alice/tiny/revision/main"),
        ("GET", "/api/models/alice/tiny/tree/main"),
        ("POST", "/api/models/alice/tiny/paths-info/main"),
        ("GET", "/alice/tiny/resolve/main/config.json"),
        ("GET", "/alice/tiny/resolve/main/README.md"),
        ("GET", "/api/models/alice/tiny/auth-check"),
    ]:
        for token in (None, seed.tokens["bob"]):
            answer = await call(app, method, path, token=token)
            assert answer.status == 403, path
            assert answer.header("x-error-message") == "Access to this resource is disabled."
            assert answer.header("x-error-code") == "WithdrawnRelease"
            assert answer.json["advisory"]["details"] == "A key leaked"
    (item,) = (await call(app, "GET", "/api/models?full=true&cardData=true")).json
    assert (item["id"], item["disabled"]) == ("alice/Tiny", True)
    assert not {"siblings", "cardData", "tags", "usedStorage", "sha"} & set(item)
