from __future__ import annotations

import msgspec
import pytest

from tests.release.making import desk_of, model, person, put, repo_of, through_the_gate, to_the_gate
from tests.release.test_transition import order
from weighbridge.accounts import ANONYMOUS
from weighbridge.bootstrap import Hub
from weighbridge.cli.releasing.showing import printable
from weighbridge.errors import Conflict, InvalidInput, RevisionNotFound
from weighbridge.hub.access import Withdrawn, visible_revision
from weighbridge.release.approval_stage import sign_approval
from weighbridge.release.case import read_case
from weighbridge.release.decide_stage import decide_release
from weighbridge.release.shown import Dials
from weighbridge.release.view import find_release, list_releases, release_view
from weighbridge.release.withdrawal import withdraw
from weighbridge.release.withdrawal_stage import sign_withdrawal


async def test_an_outsider_knows_of_it_once_it_is_out_and_reads_no_reasons(hub: Hub) -> None:
    alice, bob, carol = [await person(hub, name, reviewer=name != "alice") for name in ("alice", "bob", "carol")]
    repo = await repo_of(hub, alice)
    row = (await put(hub, repo, alice, policy="responsible")).row
    async with desk_of(hub) as desk:
        await to_the_gate(desk, row["id"])
        seen = await release_view(
            hub.db, repo, await find_release(hub.db, repo, 1, alice), alice, public_url="http://h"
        )
        assert (seen.state, [one.rule for one in seen.missing]) == ("waiting", ["two-approvals"])
        with pytest.raises(RevisionNotFound):
            await find_release(hub.db, repo, 1, ANONYMOUS)
        assert await list_releases(hub.db, repo, ANONYMOUS) == []
        for reviewer in (bob, carol):
            await sign_approval(desk, order(row, reviewer, reason="a secret word"))
        assert await decide_release(desk, row["id"]) == "open"
        await through_the_gate(desk, row["id"])
    outside = await release_view(
        hub.db, repo, await find_release(hub.db, repo, "latest", ANONYMOUS), ANONYMOUS, public_url="http://h"
    )
    assert b"a secret word" not in msgspec.json.encode(outside)
    assert [approval.reason for approval in outside.approvals] == [None, None]
    inside = await release_view(hub.db, repo, await find_release(hub.db, repo, 1, bob), bob, public_url="http://h")
    assert [approval.reason for approval in inside.approvals] == ["a secret word"] * 2
    assert (outside.state, outside.missing, outside.log is not None) == ("released", [], True)
    assert outside.url == "http://h/alice/tiny/releases/1"


async def test_a_withdrawal_is_seen_at_once_and_signed_once(hub: Hub) -> None:
    alice = await person(hub, "alice")
    repo = await repo_of(hub, alice)
    row = (await put(hub, repo, alice)).row
    async with desk_of(hub) as desk:
        await to_the_gate(desk, row["id"])
        case = await read_case(hub.db, row["id"])
        with pytest.raises(Conflict, match="it is not out"):
            await withdraw(hub.db, case, actor=alice.require_account(), reason="x", now_ms=hub.clock())
        await through_the_gate(desk, row["id"])
        with pytest.raises(InvalidInput):
            await withdraw(hub.db, case, actor=alice.require_account(), reason=" ", now_ms=hub.clock())
        for reason in ("first", "second"):
            await withdraw(hub.db, case, actor=alice.require_account(), reason=reason, now_ms=hub.clock())
        assert isinstance(await visible_revision(hub.db, repo, "main", ANONYMOUS), Withdrawn)
        await sign_withdrawal(desk, row["id"])
        await sign_withdrawal(desk, row["id"])
    view = await release_view(
        hub.db, repo, await find_release(hub.db, repo, 1, ANONYMOUS), ANONYMOUS, public_url="http://h"
    )
    assert view.state == "withdrawn" and view.withdrawal is not None and view.withdrawal.reason == "first"
    assert [one.kind for one in view.statements].count("withdrawal") == 1
    assert len(await hub.db.all("SELECT 1 AS one FROM log_entry WHERE dedup_key LIKE '%withdrawal'")) == 1


async def test_whose_weights_are_hidden_says_nothing_of_files(hub: Hub) -> None:
    alice = await person(hub, "alice")
    repo = await repo_of(hub, alice)
    files = {**model(), "secret-name.py": b"import os\n"}
    row = (await put(hub, repo, alice, files, weights="none", inference="public")).row
    async with desk_of(hub) as desk:
        await to_the_gate(desk, row["id"])
        await through_the_gate(desk, row["id"])
    inside = await release_view(hub.db, repo, await find_release(hub.db, repo, 1, alice), alice, public_url="http://h")
    assert b"secret-name.py" in msgspec.json.encode(inside)
    found = await find_release(hub.db, repo, 1, ANONYMOUS)
    outside = await release_view(hub.db, repo, found, ANONYMOUS, public_url="http://h")
    text = msgspec.json.encode(outside).decode()
    assert "secret-name" not in text and "4 files" not in text and "safetensors" not in text
    assert (outside.findings, {stage.total_bytes for stage in outside.stages}) == ([], {0})
    assert outside.current == Dials(weights="none", inference="public")


def test_what_others_wrote_does_not_steer_the_terminal() -> None:
    assert printable("no\x1b[2Jthing\n") == "no\ufffd[2Jthing\ufffd"
