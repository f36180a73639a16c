from __future__ import annotations

import pytest

from tests.release.making import bring, model, person, put, repo_of, sha256_of
from weighbridge.accounts import ANONYMOUS
from weighbridge.bootstrap import Hub
from weighbridge.errors import (
    EntryNotFound,
    InvalidInput,
    NotAllowed,
    Refused,
    RepoNotFound,
    UnprocessableFile,
    WeighbridgeError,
)
from weighbridge.policy import ready_policy
from weighbridge.release.candidate import Wish, WishedFile, put_forward


async def count(hub: Hub, table: str) -> int:
    row = await hub.db.one(f"SELECT COUNT(*) AS n FROM {table}")
    assert row is not None
    return row["n"]


async def test_the_digest_is_of_the_sums_and_numbers_count_up(hub: Hub) -> None:
    alice = await person(hub, "alice")
    repo = await repo_of(hub, alice)
    first = (await put(hub, repo, alice)).row
    sums = "".join(f"{sha256_of(content)}  {path}\n" for path, content in sorted(model().items()))
    assert first["digest"] == sha256_of(sums.encode())
    assert (first["number"], first["state"], first["weights"], first["policy"]) == (1, "running", "none", "open")
    assert (first["weights_wanted"], first["inference_wanted"]) == ("public", "public")
    second = await put(hub, repo, alice, model(bytes(128)))
    assert (second.created, second.row["number"]) == (True, 2)
    events = await hub.db.all("SELECT release_id FROM event WHERE action = 'release:put-forward' ORDER BY at_ms")
    assert len(events) == 2


async def test_the_same_is_put_forward_once(hub: Hub) -> None:
    alice = await person(hub, "alice")
    repo = await repo_of(hub, alice)
    first = await put(hub, repo, alice)
    again = await put(hub, repo, alice)
    assert (first.created, again.created) == (True, False)
    assert again.row["id"] == first.row["id"]
    other_dials = await put(hub, repo, alice, weights="gated")
    assert other_dials.created
    assert other_dials.row["candidate_oid"] == first.row["candidate_oid"]
    assert other_dials.row["inference_wanted"] == "gated"


async def test_bytes_of_others_cannot_be_named(hub: Hub) -> None:
    alice, mallory = await person(hub, "alice"), await person(hub, "mallory")
    await bring(hub, await repo_of(hub, alice), alice.require_account(), model())
    own = await repo_of(hub, mallory)
    known = [WishedFile(path=path, sha256=sha256_of(data), size_bytes=len(data)) for path, data in model().items()]
    with pytest.raises(EntryNotFound, match="were not sent to this repo"):
        await put_forward(hub.db, hub.blobs, own, mallory, Wish(files=known), hub_policy="open", now_ms=1)
    assert await count(hub, "release") == 0


async def test_who_may_not_write_learns_nothing(hub: Hub) -> None:
    alice, mallory = await person(hub, "alice"), await person(hub, "mallory")
    repo = await repo_of(hub, alice)
    for reader in (mallory, ANONYMOUS):
        with pytest.raises(RepoNotFound):
            await put_forward(hub.db, hub.blobs, repo, reader, Wish(files=[]), hub_policy="open", now_ms=1)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"weights": "none", "inference": "none"}, InvalidInput),
        ({"weights": "everybody"}, InvalidInput),
        ({"policy": "no-such-policy"}, InvalidInput),
        ({"policy": "name: x\nrules: 7\n"}, InvalidInput),
    ],
)
async def test_a_wish_that_makes_no_sense_changes_nothing(
    hub: Hub, change: dict[str, str], error: type[WeighbridgeError]
) -> None:
    alice = await person(hub, "alice")
    repo = await repo_of(hub, alice)
    commits = await count(hub, "git_commit")
    with pytest.raises(error):
        await put(hub, repo, alice, **change)
    assert (await count(hub, "release"), await count(hub, "git_commit")) == (0, commits)


@pytest.mark.parametrize("path", ["model.sig", ".release/x", "../x", "a//b", "A\\b", ".git/config", "caf\u0065\u0301"])
async def test_reserved_and_broken_paths_are_refused(hub: Hub, path: str) -> None:
    alice = await person(hub, "alice")
    repo = await repo_of(hub, alice)
    with pytest.raises(UnprocessableFile):
        await put(hub, repo, alice, {path: b"x"})


async def test_a_size_that_is_not_the_bytes_is_refused(hub: Hub) -> None:
    alice = await person(hub, "alice")
    repo = await repo_of(hub, alice)
    (file,) = await bring(hub, repo, alice.require_account(), {"a.txt": b"hello"})
    wrong = WishedFile(path=file.path, sha256=file.sha256, size_bytes=6)
    with pytest.raises(UnprocessableFile, match="said to have 6 bytes"):
        await put_forward(hub.db, hub.blobs, repo, alice, Wish(files=[wrong]), hub_policy="open", now_ms=1)


async def test_a_policy_may_only_become_stricter(hub: Hub) -> None:
    alice = await person(hub, "alice")
    strict = await repo_of(hub, alice, "strict", policy="responsible")
    assert (await put(hub, strict, alice)).row["policy"] == "responsible"
    with pytest.raises(Refused, match="may only be stricter"):
        await put(hub, strict, alice, policy="open")
    plain = await repo_of(hub, alice, "plain")
    assert (await put(hub, plain, alice, policy="responsible")).row["policy"] == "responsible"
    own = ready_policy("open").replace("name: open", "name: ours") + (
        "  - id: small\n    title: It is small\n    why: Disks fill.\n    require: release.size_bytes < 1000000\n"
        "    severity: block\n    remedy: Make it smaller.\n"
    )
    row = (await put(hub, plain, alice, policy=own)).row
    assert (row["policy"], row["policy_text"]) == ("ours", own)


async def test_a_token_without_write_is_not_enough(hub: Hub) -> None:
    alice = await person(hub, "alice")
    repo = await repo_of(hub, alice)
    from weighbridge.accounts import Reader

    reader = Reader(account=alice.account, scopes=frozenset({"read"}))
    with pytest.raises(NotAllowed):
        await put_forward(hub.db, hub.blobs, repo, reader, Wish(files=[]), hub_policy="open", now_ms=1)


async def test_a_long_gitattributes_is_refused_before_it_is_read(hub: Hub) -> None:
    alice = await person(hub, "alice")
    repo = await repo_of(hub, alice)
    wished = await bring(hub, repo, alice.require_account(), {".gitattributes": b"#" * (1 << 20) + b"\n"})
    await hub.db.run("UPDATE uploaded_blob SET sha256 = :none WHERE size_bytes > 1048576", none="0" * 64)
    wish = Wish(files=[WishedFile(path=".gitattributes", sha256="0" * 64, size_bytes=wished[0].size_bytes)])
    with pytest.raises(UnprocessableFile, match="at most 1048576 are read"):  # not that the bytes are not there
        await put_forward(hub.db, hub.blobs, repo, alice, wish, hub_policy="open", now_ms=1)
