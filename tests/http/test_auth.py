from __future__ import annotations

import base64

import pytest
from starlette.types import ASGIApp

from tests.http.asgi import call
from tests.http.seed import Seed
from weighbridge.accounts import open_session
from weighbridge.http.auth import SESSION_COOKIE

BAD = "Invalid credentials in Authorization header"


@pytest.mark.parametrize(
    "header", ["Bearer wrong", "Bearer ", "Bearer", "Basic YTpi", "wrong", "Bearer " + "x" * 10_000]
)
@pytest.mark.parametrize("path", ["/api/models", "/api/models/a/b", "/a/b/resolve/main/x", "/api/whoami-v2"])
async def test_bad_credentials_are_never_taken_for_nobody(app: ASGIApp, header: str, path: str) -> None:
    answer = await call(app, "GET", path, headers={"Authorization": header})
    assert (answer.status, answer.header("x-error-message")) == (401, BAD)


async def test_a_token_in_another_scheme_is_no_token(app: ASGIApp, seed: Seed) -> None:
    basic = base64.b64encode(f"alice:{seed.tokens['alice']}".encode()).decode()
    assert (await call(app, "GET", "/api/whoami-v2", headers={"Authorization": f"Basic {basic}"})).status == 401


async def test_a_session_cookie_reads_and_a_stale_one_is_nobody(app: ASGIApp, seed: Seed) -> None:
    text, _ = await open_session(seed.hub.db, seed.accounts["alice"].id, now_ms=seed.hub.clock())
    cookie = {"Cookie": f"a=b; {SESSION_COOKIE}={text}"}
    assert (await call(app, "GET", "/api/whoami-v2", headers=cookie)).json["name"] == "alice"
    stale = {"Cookie": f"{SESSION_COOKIE}=wb_gone"}
    answer = await call(app, "GET", "/api/models", headers=stale)
    assert (answer.status, answer.json) == (200, [])


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "http://evil.test"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://hub.test"}, 403),
        ({"Origin": "http://hub.test"}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
async def test_a_cookie_changes_nothing_for_another_sites_page(
    app: ASGIApp, seed: Seed, sent: dict[str, str], status: int
) -> None:
    text, _ = await open_session(seed.hub.db, seed.accounts["alice"].id, now_ms=seed.hub.clock())
    headers = {"Cookie": f"{SESSION_COOKIE}={text}", **sent}
    answer = await call(app, "POST", "/api/repos/create", headers=headers, data={"name": "x"})
    assert answer.status == status


async def test_a_token_for_one_repo_is_nobodys_elsewhere(app: ASGIApp, seed: Seed) -> None:
    for name in ("one", "two"):
        await seed.repo(f"alice/{name}", by="alice")
    made = await call(
        app,
        "POST",
        "/api/weighbridge/v1/accounts/alice/tokens",
        token=seed.tokens["alice"],
        data={"name": "bound", "scopes": ["write"], "repo": "alice/one"},
    )
    token = made.json["token"]
    assert (await call(app, "GET", "/api/models/alice/one", token=token)).status == 200
    assert (await call(app, "GET", "/api/models/alice/two", token=token)).status == 404
    assert [item["id"] for item in (await call(app, "GET", "/api/models", token=token)).json] == ["alice/one"]
    assert (await call(app, "POST", "/api/repos/create", token=token, data={"name": "new"})).status == 403
    body = {"name": "two", "organization": "alice"}
    assert (await call(app, "DELETE", "/api/repos/delete", token=token, data=body)).status == 404
