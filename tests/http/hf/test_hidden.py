"""A repo that a reader may not know of is answered, byte for byte, as one that does not exist."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from starlette.types import ASGIApp

from tests.http.asgi import Answer, call
from tests.http.seed import Seed, model_files

READS = [
    ("GET", "/api/models/{name}"),
    ("HEAD", "/api/models/{name}"),
    ("GET", "/api/models/{name}?blobs=true&expand=siblings"),
    ("GET", "/api/models/{name}/revision/{rev}"),
    ("GET", "/api/models/{name}/tree/{rev}"),
    ("GET", "/api/models/{name}/tree/{rev}/onnx?recursive=true&expand=true"),
    ("GET", "/api/models/{name}/tree/{rev}?limit=0"),
    ("POST", "/api/models/{name}/paths-info/{rev}"),
    ("GET", "/api/models/{name}/refs"),
    ("GET", "/api/models/{name}/commits/{rev}"),
    ("GET", "/api/models/{name}/auth-check"),
    ("GET", "/api/models/{name}/auth-check/write"),
    ("PUT", "/api/models/{name}/settings"),
    ("GET", "/{name}/resolve/{rev}/config.json"),
    ("HEAD", "/{name}/resolve/{rev}/config.json"),
    ("GET", "/{name}/resolve/{rev}/README.md"),
    ("GET", "/{name}"),
    ("GET", "/{name}/tree/main"),
    ("GET", "/{name}/releases/1"),
    ("GET", "/api/weighbridge/v1/repos/models/{name}/releases"),
    ("GET", "/api/weighbridge/v1/repos/models/{name}/releases/1"),
    ("POST", "/api/weighbridge/v1/repos/models/{name}/releases"),
    ("POST", "/api/weighbridge/v1/repos/models/{name}/releases/1/approvals"),
    ("POST", "/api/weighbridge/v1/repos/models/{name}/releases/1/withdrawal"),
    ("POST", "/api/weighbridge/v1/repos/models/{name}/have"),
    ("POST", "/api/weighbridge/v1/repos/models/{name}/uploads"),
]
BODIES = {
    "paths-info": b"paths=config.json",
    "settings": b'{"visibility": "public"}',
    "approvals": b'{"release_digest": "", "verdict": "approve", "weights": "public", "inference": "public"}',
    "withdrawal": b'{"reason": "x"}',
    "have": b'{"files": []}',
    "releases": b'{"files": []}',
}


async def told(app: ASGIApp, method: str, target: str, *, name: str, rev: str, token: str | None, html: bool) -> Answer:
    """The answer, without what differs between any two requests, and with the name that was asked replaced."""
    verb = target.partition("?")[0].rpartition("/")[2]
    body = next((BODIES[key] for key in BODIES if f"/{key}" in target), b"") if method in ("POST", "PUT") else b""
    headers = {"accept": "text/html"} if html else {}
    if verb == "uploads":
        headers["upload-length"] = "5"
    path = target.format(name=name, rev=quote(rev, safe=""))
    answer = await call(app, method, path, token=token, headers=headers, body=body)
    short = name.partition("/")[2]
    kept = [(key, value.replace(short, "*")) for key, value in answer.headers if key not in ("x-request-id", "date")]
    return Answer(answer.status, kept, answer.body.replace(short.encode(), b"*"))


@pytest.mark.parametrize(("method", "target"), READS)
@pytest.mark.parametrize("html", [False, True])
async def test_hidden_is_absent(app: ASGIApp, seed: Seed, method: str, target: str, html: bool) -> None:
    repo = await seed.repo("alice/there", by="alice")
    candidate = await seed.commit(repo, model_files(), by="alice")
    release = await seed.release(repo, candidate, by="alice", weights="internal")
    for token in (None, seed.tokens["bob"]):
        for rev in ("main", candidate.oid, release.oid, "refs/releases/1", "nowhere"):
            hidden = await told(app, method, target, name="alice/there", rev=rev, token=token, html=html)
            absent = await told(app, method, target, name="alice/nxxxx", rev=rev, token=token, html=html)
            assert hidden == absent
            assert hidden.status >= 400


async def test_a_hidden_repo_is_in_no_list_and_no_count(app: ASGIApp, seed: Seed) -> None:
    repo = await seed.repo("alice/there", by="alice")
    await seed.release(repo, await seed.commit(repo, model_files(), by="alice"), by="alice", weights="internal")
    for target in ("/api/models", "/api/models?search=there", "/api/models?author=alice&full=true&sort=createdAt"):
        for token in (None, seed.tokens["bob"]):
            answer = await call(app, "GET", target, token=token)
            assert (answer.json, answer.header("link")) == ([], None)
    mine = await call(app, "GET", "/api/models", token=seed.tokens["alice"])
    assert [item["id"] for item in mine.json] == ["alice/there"]


async def test_a_candidate_behind_a_release_is_not_found_by_name_or_id(app: ASGIApp, seed: Seed) -> None:
    repo = await seed.repo("alice/there", by="alice")
    first = await seed.commit(repo, model_files(), by="alice")
    release = await seed.release(repo, first, by="alice")
    secret = await seed.commit(repo, model_files(secret=b"s3cret"), by="alice")
    assert (await call(app, "GET", f"/api/models/alice/there/revision/{first.oid}")).json["sha"] == release.oid
    for rev in (secret.oid, "refs%2Fheads%2Fdev", "0" * 40):
        answer = await call(app, "GET", f"/api/models/alice/there/revision/{rev}")
        assert answer.header("x-error-code") == "RevisionNotFound"
    assert (await call(app, "GET", "/alice/there/resolve/main/secret")).status == 404
    assert (await call(app, "GET", "/alice/there/resolve/main/secret", token=seed.tokens["alice"])).body == b"s3cret"
