from __future__ import annotations

import secrets

import pytest

from tests.release.making import desk_of, person, put, repo_of, through_the_gate, to_the_gate
from tests.running import RunningHub
from weighbridge.accounts import ANONYMOUS
from weighbridge.bootstrap import Hub
from weighbridge.errors import InvalidInput, Refused, RepoNotFound
from weighbridge.evidence.envelope import read_envelope
from weighbridge.hub.access import Hidden, Readable, visible_revision
from weighbridge.release.lowering_stage import LOWERING_INFIX, QUERIES, sign_lowerings
from weighbridge.release.queue import ReleaseQueue, queue_url
from weighbridge.release.visibility import close_releases, open_tip


async def test_closing_hides_every_release_and_is_kept_as_a_turn(hub: Hub) -> None:
    alice = await person(hub, "alice")
    repo = await repo_of(hub, alice)
    row = (await put(hub, repo, alice)).row
    async with desk_of(hub) as desk:
        await to_the_gate(desk, row["id"])
        await through_the_gate(desk, row["id"])
    assert isinstance(await visible_revision(hub.db, repo, "main", ANONYMOUS), Readable)
    closed = await close_releases(hub.db, repo, alice, weights="internal", inference="internal", now_ms=hub.clock())
    assert closed == 1
    assert isinstance(await visible_revision(hub.db, repo, "main", ANONYMOUS), Hidden)
    again = await close_releases(hub.db, repo, alice, weights="partners", inference="public", now_ms=hub.clock())
    assert again == 0
    turns = await hub.db.all("SELECT weights_from, weights_to, decision_id FROM dial_change ORDER BY position")
    assert [(turn["weights_from"], turn["weights_to"]) for turn in turns] == [
        ("none", "public"),
        ("public", "internal"),
    ]
    assert turns[1]["decision_id"] is None
    async with desk_of(hub) as desk:
        for _ in range(2):
            await sign_lowerings(desk, row["id"])
    effects = await hub.db.all(
        "SELECT s.envelope, e.position FROM statement s JOIN log_entry e ON e.dedup_key = s.dedup_key"
        " WHERE s.kind = 'effect' ORDER BY e.position"
    )
    last = read_envelope(effects[-1]["envelope"]).statement["predicate"]
    assert len(effects) == 2 and "intent" not in last
    assert last["transition"]["weights"] == {"from": "public", "to": "internal"}
    assert await hub.db.all(QUERIES["unsigned_lowerings"], infix=LOWERING_INFIX) == []


async def test_who_may_not_write_closes_nothing(hub: Hub) -> None:
    alice, mallory = await person(hub, "alice"), await person(hub, "mallory")
    repo = await repo_of(hub, alice)
    with pytest.raises(RepoNotFound):
        await close_releases(hub.db, repo, mallory, weights="none", inference="none", now_ms=1)
    with pytest.raises(InvalidInput):
        await close_releases(hub.db, repo, alice, weights="nobody", inference="none", now_ms=1)


@pytest.mark.slow
def test_opening_asks_the_policy_and_says_what_it_misses(running_hub: RunningHub) -> None:
    async def work(hub: Hub) -> None:
        alice = await person(hub, f"v{secrets.token_hex(4)}")
        queue = ReleaseQueue(queue_url(None, hub.settings.workflows_path))
        plain, strict = await repo_of(hub, alice, "plain"), await repo_of(hub, alice, "strict", policy="responsible")
        try:
            for repo in (plain, strict):
                await put(hub, repo, alice, weights="internal")
            now_ms = hub.clock()
            row = await open_tip(hub.db, hub.blobs, queue, plain, alice, hub_policy="open", now_ms=now_ms)
            assert (row["number"], row["state"], row["weights"]) == (2, "released", "public")
            assert isinstance(await visible_revision(hub.db, plain, "main", ANONYMOUS), Readable)
            with pytest.raises(Refused) as refused:
                await open_tip(hub.db, hub.blobs, queue, strict, alice, hub_policy="open", now_ms=now_ms)
            assert refused.value.missing == ("Two reviewers other than the author agree",)
            assert isinstance(await visible_revision(hub.db, strict, "main", ANONYMOUS), Hidden)
        finally:
            await queue.close()

    running_hub.inside(work)
