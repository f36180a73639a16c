"""The texts and the corners of ``access``; the rule itself is judged in tests/property."""

from __future__ import annotations

import pytest

from tests.hub.conftest import NOW_MS, keep, person
from tests.property.world import World
from weighbridge.accounts import ANONYMOUS
from weighbridge.errors import (
    Conflict,
    GatedRepo,
    InvalidInput,
    NotAllowed,
    NotAuthenticated,
    RepoNotFound,
    WithdrawnRelease,
)
from weighbridge.hub.access import (
    CardOnly,
    Gated,
    Readable,
    open_repo,
    require_page,
    require_readable,
    require_writer,
    visible_revision,
    widest_dials,
)
from weighbridge.hub.files import card_file
from weighbridge.hub.gate import AccessStatus, access_requests, answer_access, ask_access, list_partners
from weighbridge.hub.repo import create_repo, delete_repo, find_repo
from weighbridge.hub.repo import list_visible_repos as listed
from weighbridge.storage.sqlite import SqliteDatabase

ONE = "acme/one"


@pytest.fixture
async def world(db: SqliteDatabase) -> World:
    return await World.create(db, keep)


async def released(world: World, weights: str, inference: str) -> int:
    number = await world.put_forward(ONE, await world.commit(ONE))
    await world.publish(ONE, number, weights, inference)
    return number


@pytest.mark.parametrize(
    ("status", "text"),
    [("", "need to ask"), ("pending", "awaiting a review"), ("rejected", "was rejected")],
)
async def test_a_gate_says_why_it_is_closed(world: World, status: str, text: str) -> None:
    await released(world, "gated", "none")
    if status:
        await world.answer(ONE, "gus", status)
    with pytest.raises(GatedRepo, match=text) as caught:
        await require_readable(world.db, world.repos[ONE], "main", await world.reader("gus"))
    assert caught.value.message.startswith("Access to model acme/one is restricted.")
    with pytest.raises(GatedRepo, match="Please log in"):
        await require_readable(world.db, world.repos[ONE], "main", ANONYMOUS)


async def test_hidden_weights_with_open_inference_say_how_the_model_can_be_used(world: World) -> None:
    await released(world, "none", "public")
    with pytest.raises(NotAllowed, match="hosted inference") as caught:
        await require_readable(world.db, world.repos[ONE], "main", ANONYMOUS)
    assert "inference API" in caught.value.diagnostics()
    visible = await require_page(world.db, world.repos[ONE], "main", ANONYMOUS)
    assert isinstance(visible, CardOnly)
    assert visible.revision.card["license"] == "mit"
    assert await card_file(world.db, visible.revision) is not None


async def test_a_withdrawal_says_the_words_that_clients_know_and_the_advisory(world: World) -> None:
    await world.withdraw(ONE, await released(world, "public", "public"))
    with pytest.raises(WithdrawnRelease) as caught:
        await require_readable(world.db, world.repos[ONE], "main", ANONYMOUS)
    assert caught.value.message == "Access to this resource is disabled."
    assert str(caught.value.advisory["details"]).startswith("Reason-")
    assert str(caught.value.advisory["published"]).endswith("Z")
    visible = await require_page(world.db, world.repos[ONE], "main", ANONYMOUS)
    assert not isinstance(visible, Readable | Gated)
    assert visible.revision.card == {}
    assert await card_file(world.db, visible.revision) is None


async def test_an_absent_repo_and_a_hidden_one_are_told_in_the_same_words(world: World) -> None:
    told: list[tuple[type, str, str]] = []
    for name in (ONE, "acme/never", "never/never"):
        for reader in (ANONYMOUS, await world.reader("gus")):
            with pytest.raises(RepoNotFound) as caught:
                await open_repo(world.db, "model", name, "main", reader)
            told.append((type(caught.value), caught.value.message, caught.value.diagnostics()))
    assert len(set(told)) == 1


async def test_who_may_write_is_said_as_far_as_it_may_be_known(world: World) -> None:
    repo = world.repos[ONE]
    for who in ("nobody", "gus", "rita", "cora", "rev"):
        with pytest.raises(RepoNotFound):
            await require_writer(world.db, repo, await world.reader(who))
    await released(world, "public", "none")
    with pytest.raises(NotAuthenticated):
        await require_writer(world.db, repo, ANONYMOUS)
    for who in ("gus", "rita", "cora", "rev", "ann-for-two"):
        with pytest.raises((NotAllowed, NotAuthenticated)):
            await require_writer(world.db, repo, await world.reader(who))
    for who in ("ann", "walt", "root"):
        assert (await require_writer(world.db, repo, await world.reader(who))).name == who
        with pytest.raises(NotAllowed, match="scope"):
            await require_writer(world.db, repo, await world.reader(who), scope="approve")


async def test_the_widest_dials_are_of_what_is_out(world: World) -> None:
    assert await widest_dials(world.db, world.repos[ONE]) == ("none", "none")
    number = await released(world, "gated", "none")
    await released(world, "none", "internal")
    assert await widest_dials(world.db, world.repos[ONE]) == ("gated", "internal")
    await world.withdraw(ONE, number)
    assert await widest_dials(world.db, world.repos[ONE]) == ("none", "internal")


async def test_a_reviewers_candidate_comes_without_its_history(world: World) -> None:
    candidate = await world.commit(ONE)
    await world.put_forward(ONE, candidate)
    visible = await visible_revision(world.db, world.repos[ONE], candidate, await world.reader("rona"))
    assert isinstance(visible, Readable)
    assert visible.revision.parent_oid is None


async def test_dials_without_a_release_commit_open_nothing(world: World) -> None:
    await world.put_forward(ONE, await world.commit(ONE))
    await world.db.run("UPDATE release SET weights = 'public', inference = 'public'")
    for who in ("nobody", "rita", "gus"):
        with pytest.raises(RepoNotFound):
            await require_page(world.db, world.repos[ONE], "refs/releases/1", await world.reader(who))
        assert (await listed(world.db, await world.reader(who))).repos == []


async def test_a_release_that_is_no_more_under_review_is_no_reviewers(world: World) -> None:
    candidate = await world.commit(ONE)
    number = await world.put_forward(ONE, candidate)
    for state, opens in (("running", True), ("waiting", True), ("refused", False), ("failed", False)):
        await world.set_state(ONE, number, state)
        visible = await visible_revision(world.db, world.repos[ONE], candidate, await world.reader("rona"))
        assert isinstance(visible, Readable) is opens


async def test_a_gate_that_is_auto_lets_in_at_once(db: SqliteDatabase, world: World) -> None:
    ann = await world.reader("ann")
    repo = await create_repo(db, ann, type="model", namespace="acme", name="auto", put_bytes=keep, now_ms=NOW_MS,
                             gated="auto")  # fmt: skip
    gus = await world.reader("gus")
    with pytest.raises(RepoNotFound):
        await ask_access(db, repo, gus, now_ms=NOW_MS)
    world.repos["acme/auto"], world.facts.repos["acme/auto"] = repo, world.facts.repos["acme/two"]
    await released(world, "gated", "none")
    assert await ask_access(db, world.repos[ONE], gus, now_ms=NOW_MS) is AccessStatus.PENDING
    assert await ask_access(db, world.repos[ONE], gus, now_ms=NOW_MS) is AccessStatus.PENDING
    await db.run("UPDATE repo SET gated = 'auto' WHERE id = :id", id=world.repos[ONE].id)
    auto = await find_repo(db, "model", ONE)
    assert auto is not None
    paul = await world.reader("paul")
    assert await ask_access(db, auto, paul, now_ms=NOW_MS) is AccessStatus.ACCEPTED
    assert isinstance(await visible_revision(db, auto, "main", paul), Readable)
    with pytest.raises(NotAuthenticated):
        await ask_access(db, auto, ANONYMOUS, now_ms=NOW_MS)
    with pytest.raises(Conflict):
        await ask_access(db, auto, await world.reader("rita"), now_ms=NOW_MS)
    await answer_access(db, auto, world.accounts["gus"].id, ann, status=AccessStatus.REJECTED, now_ms=NOW_MS)
    told = await access_requests(db, auto, ann, AccessStatus.REJECTED)
    assert [request.account for request in told] == ["gus"]
    with pytest.raises(NotAllowed):
        await answer_access(db, auto, world.accounts["gus"].id, gus, status=AccessStatus.ACCEPTED, now_ms=NOW_MS)


async def test_partners_are_told_to_writers(world: World) -> None:
    await world.partner(ONE, "friends", named=True)
    await world.partner(ONE, "paul", named=True)
    found = await list_partners(world.db, world.repos[ONE], await world.reader("walt"))
    assert [account.name for account in found] == ["friends", "paul"]


async def test_a_release_keeps_its_repo_until_it_is_withdrawn(world: World) -> None:
    number = await released(world, "public", "none")
    ann = await world.reader("ann")
    with pytest.raises(Conflict, match="release 1 is out"):
        await delete_repo(world.db, world.repos[ONE], ann, now_ms=NOW_MS)
    waiting = await world.put_forward(ONE, await world.commit(ONE))
    await world.withdraw(ONE, number)
    with pytest.raises(Conflict, match="release 2 is under way"):
        await delete_repo(world.db, world.repos[ONE], ann, now_ms=NOW_MS)
    await world.set_state(ONE, waiting, "refused")
    await world.delete(ONE)
    with pytest.raises(Conflict, match="releases of it were out"):
        await world.add_repo(ONE)
    for who in ("nobody", "ann", "root"):
        with pytest.raises(WithdrawnRelease):
            await require_readable(world.db, world.repos[ONE], "main", await world.reader(who))


async def test_a_list_that_cannot_be_is_refused(db: SqliteDatabase) -> None:
    reader = await person(db, "bob")
    for wrong in ({"sort": "size"}, {"limit": 0}, {"limit": 1001}, {"cursor": "!"}, {"cursor": "AAAA"}):
        with pytest.raises(InvalidInput):
            await listed(db, reader, **wrong)


async def test_a_search_takes_its_words_as_they_are(world: World) -> None:
    ann = await world.reader("ann")
    for search, names in (("%", []), ("_", []), ("!", []), ("ONE", ["acme/one"]), ("acme/", ["acme/two", "acme/one"])):
        page = await listed(world.db, ann, search=search)
        assert [item.repo.full_name for item in page.repos] == names
