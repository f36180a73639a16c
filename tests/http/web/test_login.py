from http.cookies import SimpleCookie
from urllib.parse import urlencode

import pytest

from tests.http.web.conftest import text_of
from tests.http.web.seeds import PASSWORD
from weighbridge.accounts import revoke_token
from weighbridge.http.web.login import safe_next

OWN = {"origin": "http://hub.test", "sec_fetch_site": "same-origin"}


def form(**fields):
    return urlencode(fields)


def cookie_of(answer):
    return SimpleCookie(answer.header("set-cookie"))["weighbridge_session"]


async def test_a_password_opens_a_session_that_logging_out_ends(world, browse):
    await world.password("lin")
    answer = await browse("/login", method="POST", body=form(name="lin", secret=PASSWORD, next="/acme/tiny?x=1"), **OWN)
    assert (answer.status, answer.header("location")) == (303, "/acme/tiny?x=1")
    cookie = cookie_of(answer)
    assert cookie["httponly"]
    assert cookie["samesite"].lower() == "lax"
    assert not cookie["secure"]
    assert PASSWORD not in cookie.value
    session = f"weighbridge_session={cookie.value}"
    assert "lin" in text_of(await browse("/", cookie=session))
    out = await browse("/logout", method="POST", cookie=session, **OWN)
    assert out.status == 303
    assert cookie_of(out).value == ""
    assert "Log in" in text_of(await browse("/", cookie=session))


async def test_a_token_logs_in_with_no_more_than_its_own_rights(world, browse, hub):
    answer = await browse("/login", method="POST", body=form(name="", secret=world.tokens["ada"]), **OWN)
    assert answer.status == 303
    session = f"weighbridge_session={cookie_of(answer).value}"
    assert "ada" in text_of(await browse("/", cookie=session))
    reader = await world.reader("ada")
    await revoke_token(hub.db, reader.token_id, now_ms=world.now())
    assert "ada" not in text_of(await browse("/", cookie=session))


@pytest.mark.parametrize(
    ("name", "secret", "said"),
    [
        ("lin", "wrong horse battery", "Name or password is wrong"),
        ("nobody", PASSWORD, "Name or password is wrong"),
        ("", "wb_0000000000000000000000000000", "token is not known"),
        ("", "", "token is not known"),
    ],
)
async def test_what_is_wrong_is_said_and_opens_nothing(world, browse, name, secret, said):
    await world.password("lin")
    answer = await browse("/login", method="POST", body=form(name=name, secret=secret), **OWN)
    assert answer.status == 401
    assert said in text_of(answer)
    assert answer.header("set-cookie") is None
    assert secret == "" or secret.encode() not in answer.body


@pytest.mark.parametrize("path", ["/login", "/logout"])
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.test", "sec_fetch_site": "cross-site"},
        {"origin": "http://evil.test"},
        {"sec_fetch_site": "same-site"},
        {"origin": "null"},
        {},
    ],
)
async def test_another_sites_page_cannot_log_a_person_in_or_out(browse, path, headers):
    body = form(name="lin", secret=PASSWORD)
    answer = await browse(path, "ada", method="POST", body=body, **headers)
    assert answer.status == 403
    assert answer.header("set-cookie") is None


async def test_a_form_that_is_none_or_too_long_is_refused(browse):
    as_json = await browse("/login", method="POST", body="{}", content_type="application/json", **OWN)
    assert as_json.status == 400
    long = await browse("/login", method="POST", body="secret=" + "x" * 9000, **OWN)
    assert long.status == 413
    assert (await browse("/login", method="POST", body="secret=%ff", **OWN)).status == 400


@pytest.mark.parametrize(
    ("asked", "gone_to"),
    [
        ("/acme/tiny", "/acme/tiny"),
        ("//evil.test/x", "/"),
        ("/\\evil.test", "/"),
        ("https://evil.test", "/"),
        ("javascript:alert(1)", "/"),
        ("/a\r\nSet-Cookie: x", "/"),
        ("", "/"),
        ("/" + "a" * 2000, "/"),
    ],
)
def test_logging_in_leads_nowhere_else(asked, gone_to):
    assert safe_next(asked) == gone_to


async def test_https_makes_the_cookie_secure(tmp_path):
    from tests.http.asgi import call
    from tests.http.web.seeds import World
    from weighbridge.bootstrap import close_hub, open_hub
    from weighbridge.http.app import create_app
    from weighbridge.settings import load_settings

    hub = await open_hub(load_settings({"data": tmp_path / "hub", "public_url": "https://hub.test"}))
    try:
        world = World(hub)
        await world.people()
        await world.password("lin")
        answer = await call(
            create_app(hub),
            "POST",
            "/login",
            headers={"origin": "https://hub.test", "content-type": "application/x-www-form-urlencoded"},
            body=form(name="lin", secret=PASSWORD).encode(),
        )
    finally:
        await close_hub(hub)
    assert cookie_of(answer)["secure"]
