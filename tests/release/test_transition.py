from __future__ import annotations

import pytest

from tests.release.making import desk_of, person, put, repo_of, through_the_gate, to_the_gate
from weighbridge.accounts import ANONYMOUS, Role, ScopeKind, disable_account, revoke_role
from weighbridge.bootstrap import Hub
from weighbridge.errors import Refused
from weighbridge.evidence.envelope import open_envelope
from weighbridge.evidence.statement import Kind
from weighbridge.hub.access import Readable, visible_revision
from weighbridge.hub.files import all_files
from weighbridge.release.approval import ApprovalOrder
from weighbridge.release.approval_stage import sign_approval
from weighbridge.release.case import need_statement
from weighbridge.release.decide_stage import decide_release, sign_release
from weighbridge.release.log_stage import log_intent
from weighbridge.release.publish_stage import log_effect, publish_release


def order(row, reader, verdict="approve", **changed) -> ApprovalOrder:
    said = {
        "release_id": row["id"], "account_id": reader.account.id, "verdict": verdict, "reason": "because",
        "digest": row["digest"], "weights": row["weights_wanted"], "inference": row["inference_wanted"],
    }  # fmt: skip
    return ApprovalOrder(**{**said, **changed})


async def test_nobody_sees_it_before_and_everybody_after(hub: Hub) -> None:
    alice = await person(hub, "alice")
    repo = await repo_of(hub, alice)
    row = (await put(hub, repo, alice)).row
    async with desk_of(hub) as desk:
        assert await to_the_gate(desk, row["id"]) == "open"
        assert await sign_release(desk, row["id"]) == "open"
        await log_intent(desk, row["id"])
        assert not isinstance(await visible_revision(hub.db, repo, "main", ANONYMOUS), Readable)
        oid = await publish_release(desk, row["id"])
        visible = await visible_revision(hub.db, repo, "main", ANONYMOUS)
        assert isinstance(visible, Readable) and visible.revision.oid == oid
        await log_effect(desk, row["id"])
        paths = [file.path for file in await all_files(hub.db, visible.revision)]
        decision = await need_statement(hub.db, row["id"], Kind.DECISION)
        signed = open_envelope(decision.text, [desk.release_key.public_key()])
    assert {"model.sig", ".release/SHA256SUMS", ".release/attestations.jsonl", "model.safetensors"} <= set(paths)
    assert signed["predicate"]["verificationResult"] == "PASSED"
    assert visible.revision.parent_oid is None


async def test_run_twice_it_adds_nothing(hub: Hub) -> None:
    alice = await person(hub, "alice")
    row = (await put(hub, await repo_of(hub, alice), alice)).row
    async with desk_of(hub) as desk:
        await to_the_gate(desk, row["id"])
        first = await through_the_gate(desk, row["id"])
        before = await hub.db.all("SELECT * FROM log_entry ORDER BY position")
        await to_the_gate(desk, row["id"])
        assert await through_the_gate(desk, row["id"]) == first
    assert await hub.db.all("SELECT * FROM log_entry ORDER BY position") == before
    assert len(await hub.db.all("SELECT * FROM dial_change")) == 1


@pytest.mark.parametrize("change", ["role", "disabled", "policy", "finding", "rejection"])
async def test_what_changed_since_the_decision_refuses_it(hub: Hub, change: str) -> None:
    alice = await person(hub, "alice")
    bob, carol = [await person(hub, name, reviewer=True) for name in ("bob", "carol")]
    repo = await repo_of(hub, alice)
    row = (await put(hub, repo, alice, policy="responsible" if change != "policy" else "")).row
    async with desk_of(hub) as desk:
        if change != "policy":
            assert await to_the_gate(desk, row["id"]) == "waits"
            for reviewer in (bob, carol):
                await sign_approval(desk, order(row, reviewer))
            assert await decide_release(desk, row["id"]) == "open"
        else:
            assert await to_the_gate(desk, row["id"]) == "open"
        assert await sign_release(desk, row["id"]) == "open"
        await log_intent(desk, row["id"])
        bob_id = bob.require_account().id
        if change == "role":
            await revoke_role(hub.db, account_id=bob_id, scope=ScopeKind.HUB, role=Role.REVIEWER, now_ms=hub.clock())
        elif change == "disabled":
            await disable_account(hub.db, bob_id, actor_id=None, now_ms=hub.clock())
        elif change == "policy":
            await hub.db.run("UPDATE repo SET policy = 'responsible' WHERE id = :id", id=repo.id)
        elif change == "finding":
            await hub.db.run(
                "INSERT INTO finding VALUES (:id, 99, 'late', 'block', 'f', NULL, 't', 'r', 'm', '')", id=row["id"]
            )
        else:
            # The approval was asked for before the decision and is written after it.
            await hub.db.run("UPDATE approval SET verdict = 'reject' WHERE account_id = :id", id=bob_id)
        with pytest.raises(Refused, match="since the decision"):
            await publish_release(desk, row["id"])
    assert await hub.db.all("SELECT 1 AS one FROM dial_change") == []
    assert await hub.db.all("SELECT 1 AS one FROM git_ref WHERE name LIKE 'refs/releases/%'") == []
    assert not isinstance(await visible_revision(hub.db, repo, "main", ANONYMOUS), Readable)


async def test_an_approval_of_who_lost_the_role_does_not_count_at_the_gate(hub: Hub) -> None:
    alice = await person(hub, "alice")
    bob, carol = [await person(hub, name, reviewer=True) for name in ("bob", "carol")]
    row = (await put(hub, await repo_of(hub, alice), alice, policy="responsible")).row
    async with desk_of(hub) as desk:
        await to_the_gate(desk, row["id"])
        for reviewer in (bob, carol):
            await sign_approval(desk, order(row, reviewer))
        await disable_account(hub.db, carol.require_account().id, actor_id=None, now_ms=hub.clock())
        assert await decide_release(desk, row["id"]) == "waits"
        assert await sign_release(desk, row["id"]) == "waits"
    assert await hub.db.all("SELECT 1 AS one FROM statement WHERE kind = 'intent'") == []
