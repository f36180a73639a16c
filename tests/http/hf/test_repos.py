from __future__ import annotations

import pytest
from starlette.types import ASGIApp

from tests.http.asgi import Answer, call
from tests.http.seed import Seed, model_files


async def create(app: ASGIApp, token: str | None, **wish: object) -> Answer:
    return await call(app, "POST", "/api/repos/create", token=token, data=wish)


async def settings(app: ASGIApp, token: str | None, name: str, **wish: object) -> Answer:
    return await call(app, "PUT", f"/api/models/{name}/settings", token=token, data=wish)


async def test_create_gives_a_url_again_on_409(app: ASGIApp, seed: Seed) -> None:
    token = seed.tokens["alice"]
    made = await create(app, token, name="Tiny", organization=None, visibility="private")
    assert (made.status, made.json["url"]) == (200, "http://hub.test/alice/Tiny")
    again = await create(app, token, name="tiny", organization="ALICE")
    assert (again.status, again.json["url"]) == (409, "http://hub.test/alice/Tiny")
    data = await create(app, token, name="alice/tiny", type="dataset", private=True)
    assert data.json["url"] == "http://hub.test/datasets/alice/tiny"


@pytest.mark.parametrize(
    ("wish", "status"),
    [
        ({"name": "a b"}, 400),
        ({"name": "a--b"}, 400),
        ({"name": "x.git"}, 400),
        ({"name": "x", "type": "thing"}, 400),
        ({"name": "x", "type": "space"}, 501),
        ({"name": "x", "visibility": "protected"}, 400),
        ({"name": "x", "organization": "bob"}, 403),
        ({"name": "x", "organization": "none"}, 404),
        ({"organization": "alice"}, 400),
    ],
)
async def test_a_bad_wish_makes_nothing(app: ASGIApp, seed: Seed, wish: dict[str, object], status: int) -> None:
    assert (await create(app, seed.tokens["alice"], **wish)).status == status
    assert (await call(app, "GET", "/api/models", token=seed.tokens["alice"])).json == []


async def test_create_needs_a_login_and_the_scope(app: ASGIApp, seed: Seed) -> None:
    reader = await seed.user("rita", scopes=("read",))
    assert (await create(app, None, name="x")).status == 401
    assert (await create(app, reader, name="x")).status == 403


async def test_delete(app: ASGIApp, seed: Seed) -> None:
    await seed.repo("alice/tiny", by="alice")

    async def delete(token: str | None, **wish: object) -> int:
        return (await call(app, "DELETE", "/api/repos/delete", token=token, data=wish)).status

    assert await delete(None, name="tiny", organization="alice") == 401
    assert await delete(seed.tokens["bob"], name="tiny", organization="alice") == 404
    assert await delete(seed.tokens["alice"], name="tiny", type="dataset") == 404
    assert await delete(seed.tokens["alice"], name="tiny") == 200
    assert await delete(seed.tokens["alice"], name="tiny") == 404


async def test_a_released_repo_is_not_deleted_without_a_withdrawal(app: ASGIApp, seed: Seed) -> None:
    repo = await seed.repo("alice/tiny", by="alice")
    await seed.release(repo, await seed.commit(repo, model_files(), by="alice"), by="alice")
    answer = await call(app, "DELETE", "/api/repos/delete", token=seed.tokens["alice"], data={"name": "tiny"})
    assert answer.status == 409
    assert "withdraw" in answer.json["hint"]


async def test_who_may_not_write_changes_nothing(app: ASGIApp, seed: Seed) -> None:
    repo = await seed.repo("alice/tiny", by="alice")
    await seed.release(repo, await seed.commit(repo, model_files(), by="alice"), by="alice")
    for token, status in ((None, 401), (seed.tokens["bob"], 403)):
        assert (await settings(app, token, "alice/tiny", gated="auto")).status == status
        assert (await call(app, "GET", "/api/models/alice/tiny/auth-check/write", token=token)).status == status
    assert (await call(app, "GET", "/api/models/alice/tiny/auth-check/write", token=seed.tokens["alice"])).status == 200


async def test_an_empty_repo_may_wish_as_it_likes(app: ASGIApp, seed: Seed) -> None:
    await seed.repo("alice/tiny", by="alice")
    for wish, told in (
        ({"gated": "auto"}, {"gated": "auto", "private": False}),
        ({"visibility": "private"}, {"gated": "auto", "private": True}),
        ({"gated": False, "private": False}, {"gated": False, "private": False}),
    ):
        answer = await settings(app, seed.tokens["alice"], "alice/tiny", **wish)
        assert (answer.status, answer.json) == (200, {"id": "alice/tiny", **told})
    assert (await settings(app, seed.tokens["alice"], "alice/tiny", gated="maybe")).status == 400
    assert (await call(app, "GET", "/api/models/alice/tiny")).status == 401


async def test_private_and_gated_turn_the_dials_down_at_once(app: ASGIApp, seed: Seed) -> None:
    repo = await seed.repo("alice/tiny", by="alice")
    await seed.release(repo, await seed.commit(repo, model_files(), by="alice"), by="alice")
    assert (await settings(app, seed.tokens["alice"], "alice/tiny", gated="manual")).status == 200
    info = (await call(app, "GET", "/api/models/alice/tiny")).json
    assert (info["private"], info["gated"]) == (False, "manual")
    assert (await call(app, "GET", "/alice/tiny/resolve/main/config.json")).status == 401
    assert (await settings(app, seed.tokens["alice"], "alice/tiny", visibility="private")).status == 200
    assert (await call(app, "GET", "/api/models/alice/tiny")).status == 401
