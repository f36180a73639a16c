from __future__ import annotations

import pytest
from starlette.types import ASGIApp

from tests.http.asgi import Answer, call
from tests.http.seed import Seed
from weighbridge.accounts import Role, ScopeKind, grant_role, set_password
from weighbridge.http.login import MAX_FAILURES

V1 = "/api/weighbridge/v1"


@pytest.fixture
async def admin(seed: Seed) -> str:
    """The token of an admin of the hub."""
    token = await seed.user("root")
    await grant_role(
        seed.hub.db, account_id=seed.accounts["root"].id, scope=ScopeKind.HUB, role=Role.ADMIN, now_ms=seed.hub.clock()
    )
    return token


async def whoami(app: ASGIApp, token: str) -> Answer:
    return await call(app, "GET", "/api/whoami-v2", token=token)


async def test_an_admin_makes_people_and_organisations(app: ASGIApp, admin: str) -> None:
    made = await call(app, "POST", f"{V1}/accounts", token=admin, data={"name": "Carol", "password": "twelve letters"})
    assert (made.status, made.json["kind"], made.json["policy"]) == (201, "user", "open")
    wish = {"name": "acme", "kind": "organisation", "policy": "responsible"}
    made = await call(app, "POST", f"{V1}/accounts", token=admin, data=wish)
    assert (made.status, made.json["policy"]) == (201, "responsible")
    again = await call(app, "POST", f"{V1}/accounts", token=admin, data={"name": "CAROL"})
    assert again.status == 409
    first = await call(app, "GET", f"{V1}/accounts?limit=3", token=admin)
    rest = await call(app, "GET", f"{V1}/accounts?after={first.json['next']}", token=admin)
    names = [account["name"] for account in first.json["accounts"] + rest.json["accounts"]]
    assert names == ["acme", "alice", "bob", "Carol", "root"]
    assert rest.json["next"] is None


@pytest.mark.parametrize(
    "wish",
    [
        {"name": "api"},
        {"name": "a b"},
        {"name": "ok", "kind": "robot"},
        {"name": "ok", "unknown": 1},
        {"name": "ok", "password": "short"},
        {"name": "ok", "kind": "organisation", "password": "twelve letters"},
        {"name": "a\u0000b"},
        [],
    ],
)
async def test_a_bad_account_is_refused(app: ASGIApp, admin: str, wish: object) -> None:
    answer = await call(app, "POST", f"{V1}/accounts", token=admin, data=wish)
    assert answer.status == 400


async def test_only_admins_with_the_scope_administer(app: ASGIApp, seed: Seed, admin: str) -> None:
    calls = [
        ("GET", f"{V1}/accounts", None),
        ("POST", f"{V1}/accounts", {"name": "eve"}),
        ("PUT", f"{V1}/hub/roles/bob/admin", None),
        ("DELETE", f"{V1}/hub/roles/root/admin", None),
        ("POST", f"{V1}/accounts/alice/tokens", {"name": "t", "scopes": ["read"]}),
        ("GET", f"{V1}/accounts/alice/tokens", None),
        ("PUT", f"{V1}/organisations/none/members/bob", {"role": "admin"}),
    ]
    narrow = await call(
        app, "POST", f"{V1}/accounts/root/tokens", token=admin, data={"name": "n", "scopes": ["read", "write"]}
    )
    for method, path, data in calls:
        assert (await call(app, method, path, data=data)).status == 401, path
        for token in (seed.tokens["bob"], narrow.json["token"]):
            assert (await call(app, method, path, token=token, data=data)).status == 403, path


async def test_a_person_makes_and_revokes_its_own_tokens(app: ASGIApp, seed: Seed) -> None:
    mine = seed.tokens["alice"]
    made = await call(app, "POST", f"{V1}/accounts/alice/tokens", token=mine, data={"name": "ci", "scopes": ["read"]})
    assert made.status == 201
    token, token_id = made.json["token"], made.json["id"]
    assert (await whoami(app, token)).json["auth"]["accessToken"]["role"] == "read"
    listed = await call(app, "GET", f"{V1}/accounts/alice/tokens", token=mine)
    assert {item["name"] for item in listed.json["tokens"]} == {"alice's", "ci"}
    assert token not in listed.body.decode()
    foreign = await call(app, "DELETE", f"{V1}/tokens/{token_id}", token=seed.tokens["bob"])
    absent = await call(app, "DELETE", f"{V1}/tokens/{'0' * 32}", token=seed.tokens["bob"])
    assert (foreign.status, foreign.body) == (absent.status, absent.body) == (404, absent.body)
    assert (await call(app, "DELETE", f"{V1}/tokens/{token_id}", token=mine)).status == 204
    answer = await whoami(app, token)
    assert (answer.status, answer.header("x-error-message")) == (401, "Invalid credentials in Authorization header")


async def test_a_token_that_may_only_read_revokes_none_but_itself(app: ASGIApp, seed: Seed) -> None:
    async def make(**wish: object) -> tuple[str, str]:
        made = await call(
            app, "POST", f"{V1}/accounts/alice/tokens", token=seed.tokens["alice"], data={"name": "x", **wish}
        )
        return made.json["id"], made.json["token"]

    victim, _ = await make(scopes=["write"])
    await seed.repo("alice/tiny", by="alice")
    for wish in ({"scopes": ["read"]}, {"scopes": ["approve"]}, {"scopes": ["write"], "repo": "alice/tiny"}):
        own, token = await make(**wish)
        assert (await call(app, "DELETE", f"{V1}/tokens/{victim}", token=token)).status == 403
        assert (await call(app, "DELETE", f"{V1}/tokens/{own}", token=token)).status == 204
    assert (await call(app, "DELETE", f"{V1}/tokens/{victim}", token=seed.tokens["alice"])).status == 204


async def test_no_token_begets_a_wider_one(app: ASGIApp, seed: Seed) -> None:
    async def make(token: str, **wish: object) -> Answer:
        data = {"name": "x", "scopes": ["read"], **wish}
        return await call(app, "POST", f"{V1}/accounts/alice/tokens", token=token, data=data)

    await seed.repo("alice/one", by="alice")
    await seed.repo("alice/two", by="alice")
    full = seed.tokens["alice"]
    writer = (await make(full, scopes=["read", "write"])).json["token"]
    reader = (await make(full)).json["token"]
    bound = (await make(full, scopes=["write"], repo="alice/one")).json["token"]
    assert (await make(writer, scopes=["admin"])).status == 403
    assert (await make(reader)).status == 403
    assert (await make(bound)).status == 403
    assert (await make(bound, repo="alice/two")).status in (403, 404)
    assert (await make(bound, repo="alice/one")).status == 201
    assert (await make(full, repo="alice/none")).status == 404
    assert (await make(full, scopes=["everything"])).status == 403
    for lifetime_s in (-5, 0, 10**10, 2**62, 2**70):
        assert (await make(full, expires_in_s=lifetime_s)).status == 400


async def test_an_expired_token_is_none(app: ASGIApp, seed: Seed) -> None:
    made = await call(
        app,
        "POST",
        f"{V1}/accounts/alice/tokens",
        token=seed.tokens["alice"],
        data={"name": "short", "scopes": ["read"], "expires_in_s": 1},
    )
    seed.hub.clock = lambda: 2**44
    assert (await whoami(app, made.json["token"])).status == 401


async def test_admins_of_an_organisation_manage_its_members(app: ASGIApp, seed: Seed) -> None:
    await seed.organisation("acme", by="alice")
    path = f"{V1}/organisations/acme/members/bob"
    for org in ("acme", "none"):
        answer = await call(
            app, "PUT", f"{V1}/organisations/{org}/members/bob", token=seed.tokens["bob"], data={"role": "admin"}
        )
        assert (answer.status, answer.json["error"]) == (
            403,
            "could not do this: it takes an admin of that organisation",
        )
    for role in ("write", "reviewer"):
        assert (await call(app, "PUT", path, token=seed.tokens["alice"], data={"role": role})).status == 204
    (org,) = (await whoami(app, seed.tokens["bob"])).json["orgs"]
    assert (org["name"], org["roleInOrg"]) == ("acme", "write")
    members = await call(app, "GET", f"{V1}/organisations/acme/members", token=seed.tokens["alice"])
    assert {item["account"]: item["roles"] for item in members.json["members"]} == {
        "alice": ["admin"],
        "bob": ["reviewer", "write"],
    }
    assert (await call(app, "DELETE", f"{path}?role=reviewer", token=seed.tokens["alice"])).status == 204
    assert (await call(app, "DELETE", path, token=seed.tokens["alice"])).status == 204
    assert (await whoami(app, seed.tokens["bob"])).json["orgs"] == []
    last = await call(app, "DELETE", f"{V1}/organisations/acme/members/alice", token=seed.tokens["alice"])
    assert last.status == 409


async def test_hub_roles(app: ASGIApp, seed: Seed, admin: str) -> None:
    assert (await call(app, "PUT", f"{V1}/hub/roles/bob/admin", token=admin)).status == 204
    assert (await call(app, "GET", f"{V1}/accounts", token=seed.tokens["bob"])).status == 200
    assert (await call(app, "DELETE", f"{V1}/hub/roles/root/admin", token=seed.tokens["bob"])).status == 204
    assert (await call(app, "DELETE", f"{V1}/hub/roles/bob/admin", token=seed.tokens["bob"])).status == 409
    for path in ("bob/king", "bob/write"):
        assert (await call(app, "PUT", f"{V1}/hub/roles/{path}", token=seed.tokens["bob"])).status == 400
    assert (await call(app, "PUT", f"{V1}/hub/roles/nobody/auditor", token=seed.tokens["bob"])).status == 404


async def test_logging_in_by_password_gives_a_token_for_half_a_day(app: ASGIApp, seed: Seed) -> None:
    await set_password(seed.hub.db, seed.accounts["alice"].id, "twelve letters", now_ms=seed.hub.clock())
    answer = await call(app, "POST", f"{V1}/login", data={"name": "Alice", "password": "twelve letters"})
    assert answer.status == 200
    assert answer.header("cache-control") == "no-store"
    me = (await whoami(app, answer.json["token"])).json
    assert (me["name"], me["auth"]["accessToken"]["scopes"]) == ("alice", ["approve", "read", "write"])
    now_ms = seed.hub.clock()
    seed.hub.clock = lambda: now_ms + 13 * 3600 * 1000
    assert (await whoami(app, answer.json["token"])).status == 401


async def test_guessing_passwords_is_braked(app: ASGIApp, seed: Seed) -> None:
    await set_password(seed.hub.db, seed.accounts["alice"].id, "twelve letters", now_ms=seed.hub.clock())
    wrong = {"name": "alice", "password": "wrong letters"}
    answers = [await call(app, "POST", f"{V1}/login", data=wrong) for _ in range(MAX_FAILURES)]
    assert {answer.status for answer in answers} == {401}
    unknown = await call(app, "POST", f"{V1}/login", data={"name": "nobody", "password": "wrong letters"})
    assert (unknown.status, unknown.body) == (401, answers[0].body)
    held = await call(app, "POST", f"{V1}/login", data={"name": "alice", "password": "twelve letters"})
    assert held.status == 429
    assert int(held.header("retry-after") or "0") > 0
    now_ms = seed.hub.clock()
    seed.hub.clock = lambda: now_ms + 10 * 60 * 1000
    assert (await call(app, "POST", f"{V1}/login", data={"name": "alice", "password": "twelve letters"})).status == 200
