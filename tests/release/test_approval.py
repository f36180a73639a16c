from __future__ import annotations

import pytest

from tests.release.making import CARD, desk_of, model, person, put, repo_of, to_the_gate
from tests.release.test_transition import order
from weighbridge.accounts import Role, ScopeKind, grant_role
from weighbridge.bootstrap import Hub
from weighbridge.errors import Conflict, InvalidInput, NotAllowed, PreconditionFailed, WeighbridgeError
from weighbridge.evidence.envelope import open_envelope
from weighbridge.evidence.public_key import load_public_pem
from weighbridge.evidence.statement import Kind
from weighbridge.release.approval_stage import sign_approval
from weighbridge.release.case import need_statement
from weighbridge.release.decide_stage import decide_release


async def waiting(hub: Hub, desk):
    alice = await person(hub, "alice")
    repo = await repo_of(hub, alice)
    row = (await put(hub, repo, alice, policy="responsible")).row
    assert await to_the_gate(desk, row["id"]) == "waits"
    return alice, row


async def test_it_is_signed_by_the_persons_key_that_the_hub_vouches_for(hub: Hub) -> None:
    async with desk_of(hub) as desk:
        _, row = await waiting(hub, desk)
        bob = await person(hub, "bob", reviewer=True)
        await sign_approval(desk, order(row, bob, reason="read it all"))
        account = bob.require_account()
        vouched = await need_statement(hub.db, row["id"], Kind.ACCOUNT_KEY, who=account.id)
        statement = open_envelope(vouched.text, [desk.release_key.public_key()])
        key = load_public_pem(statement["predicate"]["publicKey"])
        approval = await need_statement(hub.db, row["id"], Kind.APPROVAL, who=account.id)
        said = open_envelope(approval.text, [key])
    assert statement["predicate"]["account"] == said["predicate"]["account"] == account.uri
    assert said["subject"][0]["digest"]["sha256"] == row["digest"]
    assert said["predicate"]["policy"]["digest"]["sha256"] == row["policy_sha256"]
    assert "read it all" not in approval.text and "bob" not in approval.text
    mode = (hub.settings.keys_dir / "accounts" / f"{account.id}.pem").stat().st_mode
    assert mode & 0o777 == 0o600


async def test_once_a_person(hub: Hub) -> None:
    async with desk_of(hub) as desk:
        _, row = await waiting(hub, desk)
        bob = await person(hub, "bob", reviewer=True)
        await sign_approval(desk, order(row, bob))
        await sign_approval(desk, order(row, bob, reason="again"))
        with pytest.raises(Conflict, match="said 'approve' already"):
            await sign_approval(desk, order(row, bob, "reject"))
        assert await decide_release(desk, row["id"]) == "waits"
    rows = await hub.db.all("SELECT verdict, reason FROM approval")
    assert rows == [{"verdict": "approve", "reason": "because"}]


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"digest": "0" * 64}, PreconditionFailed),
        ({"weights": "gated"}, PreconditionFailed),
        ({"inference": "none"}, PreconditionFailed),
        ({"verdict": "perhaps"}, InvalidInput),
        ({"verdict": "reject", "reason": " "}, InvalidInput),
    ],
)
async def test_what_is_not_said_about_this_release_is_not_signed(
    hub: Hub, changed: dict[str, str], error: type[WeighbridgeError]
) -> None:
    async with desk_of(hub) as desk:
        _, row = await waiting(hub, desk)
        bob = await person(hub, "bob", reviewer=True)
        with pytest.raises(error):
            await sign_approval(desk, order(row, bob, **changed))
    assert await hub.db.all("SELECT 1 AS one FROM approval") == []


async def test_neither_the_author_nor_who_is_no_reviewer(hub: Hub) -> None:
    async with desk_of(hub) as desk:
        alice, row = await waiting(hub, desk)
        await grant_role(
            hub.db, account_id=alice.require_account().id, scope=ScopeKind.HUB, role=Role.REVIEWER, now_ms=1
        )
        with pytest.raises(NotAllowed, match="is its author"):
            await sign_approval(desk, order(row, alice))
        mallory = await person(hub, "mallory")
        with pytest.raises(NotAllowed, match="is no reviewer"):
            await sign_approval(desk, order(row, mallory))
        await sign_approval(desk, order(row, alice, "reject"))
        assert await decide_release(desk, row["id"]) == "shut"


async def test_nor_who_pushed_a_file_of_it_that_a_colleague_puts_forward(hub: Hub) -> None:
    alice, bob = await person(hub, "alice"), await person(hub, "bob")
    carol = await person(hub, "carol", reviewer=True)
    repo = await repo_of(hub, alice)
    for reader in (bob, carol):
        await grant_role(
            hub.db, account_id=reader.require_account().id, scope=ScopeKind.REPO, scope_id=repo.id, role=Role.WRITE,
            now_ms=1,
        )  # fmt: skip
    await put(hub, repo, carol, policy="responsible")
    async with desk_of(hub) as desk:
        row = (await put(hub, repo, bob, model() | {"README.md": CARD + b"By Bob.\n"}, policy="responsible")).row
        assert await to_the_gate(desk, row["id"]) == "waits"
        with pytest.raises(NotAllowed, match="pushed a file of it"):
            await sign_approval(desk, order(row, carol))
        documents = await need_statement(hub.db, row["id"], Kind.DOCUMENTS)
        facts = open_envelope(documents.text, [desk.release_key.public_key()])["predicate"]["facts"]
        assert carol.require_account().uri in facts["release"]["authors"]
        assert alice.require_account().uri not in facts["release"]["authors"]  # who only made the repo pushed nothing
        await sign_approval(desk, order(row, carol, "reject"))
        assert await decide_release(desk, row["id"]) == "shut"


async def test_a_refusal_that_approvals_cannot_mend_is_shut(hub: Hub) -> None:
    alice = await person(hub, "alice")
    repo = await repo_of(hub, alice)
    async with desk_of(hub) as desk:
        row = (await put(hub, repo, alice, {"config.json": b"{}"}, policy="responsible")).row
        assert await to_the_gate(desk, row["id"]) == "shut"
        stage = await hub.db.one("SELECT state, reasons FROM stage WHERE name = 'decide'")
        assert stage is not None and stage["state"] == "failed" and "README.md" in stage["reasons"]
