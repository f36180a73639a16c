"""Info, tree, paths-info, refs, commits of a released model, for who is not logged in."""

from __future__ import annotations

from urllib.parse import quote, urlencode

import pytest
from starlette.types import ASGIApp

from tests.http.asgi import call
from tests.http.seed import WEIGHTS, Seed, model_files
from weighbridge.hub.commit import Commit


@pytest.fixture
async def released(seed: Seed) -> Commit:
    repo = await seed.repo("alice/Tiny", by="alice")
    candidate = await seed.commit(repo, model_files(), by="alice")
    return await seed.release(repo, candidate, by="alice")


async def test_info_tells_the_visible_revision(app: ASGIApp, released: Commit) -> None:
    answer = await call(app, "GET", "/api/models/alice/tiny")
    assert answer.status == 200
    info = answer.json
    assert info["id"] == "alice/Tiny"
    assert info["sha"] == released.oid
    assert (info["private"], info["gated"], info["disabled"]) == (False, False, False)
    assert {item["rfilename"] for item in info["siblings"]} == {
        *model_files(), "model.sig", ".release/SHA256SUMS",
    }  # fmt: skip
    assert info["cardData"]["license"] == "apache-2.0"
    assert info["pipeline_tag"] == "text-generation"
    assert info["library_name"] == "transformers"
    assert {"license:apache-2.0", "tiny", "safetensors", "onnx"} <= set(info["tags"])
    assert info["usedStorage"] == released.size_bytes
    assert not {"downloads", "likes"} & set(info)
    assert info["createdAt"] == info["lastModified"]


async def test_info_with_blobs_has_sizes_and_digests(app: ASGIApp, released: Commit) -> None:
    info = (await call(app, "GET", f"/api/models/alice/tiny/revision/{released.oid}?blobs=true")).json
    (weights,) = [item for item in info["siblings"] if item["rfilename"] == "model.safetensors"]
    assert weights["size"] == weights["lfs"]["size"] == len(WEIGHTS)
    (config,) = [item for item in info["siblings"] if item["rfilename"] == "config.json"]
    assert "lfs" not in config
    assert len(config["blobId"]) == 40


async def test_info_expand_gives_the_ids_and_what_was_asked(app: ASGIApp, released: Commit) -> None:
    info = (await call(app, "GET", "/api/models/alice/tiny?expand=sha&expand=downloads&expand=cardData")).json
    assert set(info) == {"_id", "id", "modelId", "sha", "cardData"}


async def test_tree_lists_a_folder_and_below_it(app: ASGIApp, released: Commit) -> None:
    top = (await call(app, "GET", "/api/models/alice/tiny/tree/main")).json
    assert {item["path"]: item["type"] for item in top}["onnx"] == "directory"
    assert "onnx/model.onnx" not in {item["path"] for item in top}
    inner = (await call(app, "GET", f"/api/models/alice/tiny/tree/main/{quote('onnx/deep', safe='')}")).json
    assert [item["path"] for item in inner] == ["onnx/deep/notes.txt"]
    whole = (await call(app, "GET", "/api/models/alice/tiny/tree/main?recursive=true&expand=true")).json
    assert {item["path"] for item in whole if item["type"] == "file"} >= set(model_files())
    assert {item["lastCommit"]["id"] for item in whole} == {released.oid}
    (weights,) = [item for item in whole if item["path"] == "model.safetensors"]
    assert weights["lfs"]["size"] == len(WEIGHTS)


async def test_tree_pages_by_an_absolute_link_on_the_public_url(app: ASGIApp, released: Commit) -> None:
    seen: list[str] = []
    target = "/api/models/alice/tiny/tree/main?recursive=true&limit=2"
    for _ in range(20):
        answer = await call(app, "GET", target)
        seen += [item["path"] for item in answer.json]
        link = answer.header("link")
        if link is None:
            break
        assert link.startswith("<http://hub.test/api/models/alice/tiny/tree/main?")
        assert link.endswith('>; rel="next"')
        target = link[len("<http://hub.test") : link.index(">")]
    assert len(seen) == len(set(seen))
    assert set(seen) >= {*model_files(), "onnx", "onnx/deep"}


async def test_a_missing_folder_is_an_absent_entry(app: ASGIApp, released: Commit) -> None:
    answer = await call(app, "GET", "/api/models/alice/tiny/tree/main/nowhere")
    assert (answer.status, answer.header("x-error-code")) == (404, "EntryNotFound")


@pytest.mark.parametrize("as_json", [False, True])
async def test_paths_info_gives_what_exists_and_leaves_out_the_rest(
    app: ASGIApp, released: Commit, as_json: bool
) -> None:
    paths = ["config.json", "onnx", "none.txt"]
    sent = {"data": {"paths": paths}} if as_json else {"body": urlencode({"paths": paths}, doseq=True).encode()}
    answer = await call(app, "POST", "/api/models/alice/tiny/paths-info/main", **sent)
    assert {item["path"]: item["type"] for item in answer.json} == {"config.json": "file", "onnx": "directory"}


async def test_paths_info_takes_a_thousand_paths_and_no_more(app: ASGIApp, released: Commit) -> None:
    body = urlencode({"paths": [f"f{n}" for n in range(1001)]}, doseq=True).encode()
    answer = await call(app, "POST", "/api/models/alice/tiny/paths-info/main", body=body)
    assert answer.status == 413


async def test_refs_and_commits_name_the_release_and_nothing_before_it(app: ASGIApp, released: Commit) -> None:
    refs = (await call(app, "GET", "/api/models/alice/tiny/refs?include_prs=1")).json
    assert refs["branches"] == [{"name": "main", "ref": "refs/heads/main", "targetCommit": released.oid}]
    assert (refs["converts"], refs["tags"], refs["pullRequests"]) == ([], [], [])
    commits = (await call(app, "GET", "/api/models/alice/tiny/commits/main?expand[]=formatted")).json
    assert [item["id"] for item in commits] == [released.oid]
    assert commits[0]["authors"] == [{"user": "alice"}]
    assert commits[0]["formatted"]["title"] == commits[0]["title"]


async def test_a_writer_sees_the_tip_and_pages_through_its_history(app: ASGIApp, seed: Seed) -> None:
    repo = await seed.repo("alice/long", by="alice")
    oids = [(await seed.commit(repo, model_files(n=b"%d" % n), by="alice", message=f"<b>{n}")).oid for n in range(4)]
    first = await call(
        app, "GET", "/api/models/alice/long/commits/main?limit=2&expand[]=formatted", token=seed.tokens["alice"]
    )
    assert [item["id"] for item in first.json] == [oids[3], oids[2]]
    assert first.json[0]["formatted"]["title"] == "&lt;b&gt;3"
    link = first.header("link")
    assert link and "p=1" in link
    last = await call(app, "GET", "/api/models/alice/long/commits/main?limit=2&p=2", token=seed.tokens["alice"])
    assert len(last.json) == 1
    assert last.header("link") is None
    tree = await call(app, "GET", "/api/models/alice/long/tree/main?expand=true", token=seed.tokens["alice"])
    assert {item["path"]: item["lastCommit"]["id"] for item in tree.json} == {
        **dict.fromkeys((item["path"] for item in tree.json), oids[0]), "n": oids[3],
    }  # fmt: skip
    info = await call(app, "GET", "/api/models/alice/long", token=seed.tokens["alice"])
    assert (info.json["sha"], info.json["private"]) == (oids[3], True)


async def test_a_quoted_revision_is_one_segment(app: ASGIApp, seed: Seed, released: Commit) -> None:
    for revision in ("refs/heads/main", "refs/releases/1", released.oid, released.oid):
        answer = await call(app, "GET", f"/api/models/alice/tiny/revision/{quote(revision, safe='')}")
        assert answer.json["sha"] == released.oid, revision
    answer = await call(app, "GET", "/api/models/alice/tiny/revision/dev%2Fx")
    assert (answer.status, answer.header("x-error-code")) == (404, "RevisionNotFound")


@pytest.mark.parametrize("path", ["gpt2", "gpt2/revision/main", "gpt2/tree/main", "gpt2/refs", "gpt2/resolve"])
async def test_a_name_of_one_segment_is_no_repo(app: ASGIApp, path: str) -> None:
    answer = await call(app, "GET", f"/api/models/{path}")
    assert answer.header("x-error-code") == "RepoNotFound"
    answer = await call(app, "GET", "/gpt2/resolve/main/config.json")
    assert answer.header("x-error-code") == "RepoNotFound"


@pytest.mark.parametrize("path", ["/api/spaces", "/api/spaces/a/b", "/api/buckets/a/b", "/spaces/a/b/resolve/main/x"])
async def test_what_this_hub_has_not_is_said(app: ASGIApp, path: str) -> None:
    answer = await call(app, "GET", path)
    assert answer.status == 501
    assert "this hub has no" in answer.json["error"]


async def test_unknown_routes_are_404_in_json(app: ASGIApp, released: Commit) -> None:
    for method, path in [
        ("POST", "/api/models/alice/tiny/commit/main"),
        ("GET", "/api/models/alice/tiny/xet-write-token/main"),
        ("GET", "/api/nothing"),
        ("GET", "/api/models-tags-by-type"),
    ]:
        answer = await call(app, method, path)
        assert (answer.status, answer.header("content-type")) == (404, "application/json"), path


async def test_a_wrong_method_says_which_are_right(app: ASGIApp) -> None:
    answer = await call(app, "DELETE", "/api/models/alice/tiny/refs")
    assert (answer.status, answer.header("allow")) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    "path", ["/api/models/a%00/b", "/api/models/a/b/tree/main/%0a", "/api/models/%ff/b", "/api/models?search=%00"]
)
async def test_control_characters_and_broken_utf8_are_bad_input(app: ASGIApp, path: str) -> None:
    assert (await call(app, "GET", path)).status == 400


async def test_the_first_request_of_every_client_is_answered(app: ASGIApp) -> None:
    assert (await call(app, "GET", "/api/agent-harnesses")).json == {"standardEnvVars": [], "harnesses": {}}
    assert (await call(app, "HEAD", "/api/telemetry/hf_hub/x")).status == 200
