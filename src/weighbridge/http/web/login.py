"""Logging in and out of the pages.

A name and password open a session. A token becomes the cookie itself: so its scopes, its repo, its expiry and its
revocation hold for the pages as they do for programs.
"""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from weighbridge.accounts import ANONYMOUS, Reader, authenticate, close_session, open_session
from weighbridge.errors import InvalidInput, NotAllowed, NotAuthenticated
from weighbridge.http.auth import SESSION_COOKIE, hub_of, reader_of
from weighbridge.http.json import read_body
from weighbridge.http.login import log_in
from weighbridge.http.web.site import page

MAX_FORM_BYTES = 8192
COOKIE_LIFETIME_S = 14 * 24 * 3600


async def login_form(request: Request) -> Response:
    """The form."""
    reader = await reader_of(request)
    return _form(request, next_path=safe_next(request.query_params.get("next", "")), reader=reader)


async def login(request: Request) -> Response:
    """Opens a session, and goes where the reader came from."""
    check_own_page(request)
    fields = await _fields(request)
    name, next_path = fields.get("name", "").strip(), safe_next(fields.get("next", ""))
    try:
        text, lifetime_s = await _session(request, name, fields.get("secret", ""))
    except NotAuthenticated:
        problem = "Name or password is wrong." if name else "This token is not known, or not good any more."
        return _form(request, next_path=next_path, name=name, problem=problem, status=401)
    response = RedirectResponse(next_path, status_code=303)
    secure = _is_https(request)
    response.set_cookie(SESSION_COOKIE, text, max_age=lifetime_s, httponly=True, samesite="lax", secure=secure)
    response.headers["Cache-Control"] = "no-store"
    return response


async def logout(request: Request) -> Response:
    """Ends the session."""
    check_own_page(request)
    text = request.cookies.get(SESSION_COOKIE)
    if text:
        hub = hub_of(request)
        await close_session(hub.db, text, now_ms=hub.clock())
    response = RedirectResponse("/", status_code=303)
    response.delete_cookie(SESSION_COOKIE, httponly=True, samesite="lax", secure=_is_https(request))
    response.headers["Cache-Control"] = "no-store"
    # Pages that were kept for the back button were this reader's.
    response.headers["Clear-Site-Data"] = '"cache"'
    return response


def check_own_page(request: Request) -> None:
    """Lets pass what a page of this hub sent.

    Raises:
        NotAllowed: another site's page sent it, or a program that does not say. (A form on another site could log a
            person in to somebody else's account, which no cookie rule prevents.)
    """
    fetch_site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    own = urlsplit(hub_of(request).settings.public_url)
    if fetch_site is not None:
        accepted = fetch_site in ("same-origin", "none")
    else:
        accepted = origin in (f"{own.scheme}://{own.netloc}", f"{request.url.scheme}://{request.headers.get('host')}")
    if not accepted:
        raise NotAllowed(
            "could not accept this from another site's page", hint="Open this hub's own page, and try there."
        )


def safe_next(text: str) -> str:
    """``text`` if it is a path on this hub, else the home page. ``//host`` and ``/\\host`` lead elsewhere."""
    is_path = text.startswith("/") and text[1:2] not in ("/", "\\") and text.isprintable() and len(text) <= 1024
    return text if is_path else "/"


def routes() -> list[Route]:
    """``/login`` and ``/logout``."""
    return [
        Route("/login", login_form),
        Route("/login", login, methods=["POST"]),
        Route("/logout", logout, methods=["POST"]),
    ]


async def _session(request: Request, name: str, secret: str) -> tuple[str, int]:
    hub = hub_of(request)
    if name:
        account = await log_in(request, name, secret)
        text, expires_ms = await open_session(hub.db, account.id, now_ms=hub.clock())
        return text, max(1, (expires_ms - hub.clock()) // 1000)
    token = secret.strip()
    await authenticate(hub.db, token, now_ms=hub.clock())
    return token, COOKIE_LIFETIME_S


def _form(
    request: Request,
    *,
    next_path: str,
    reader: Reader = ANONYMOUS,
    name: str = "",
    problem: str = "",
    status: int = 200,
) -> Response:
    return page(request, reader, "login.html", status=status, next=next_path, name=name, problem=problem)


async def _fields(request: Request) -> dict[str, str]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise InvalidInput("could not read the form: it is not a form", hint="Send the form of this hub's login page.")
    body = await read_body(request, max_bytes=MAX_FORM_BYTES)
    try:
        parsed = parse_qs(body.decode("utf-8"), keep_blank_values=True, max_num_fields=8, errors="strict")
    except ValueError as error:
        raise InvalidInput("could not read the form: it is not UTF-8, or has too many fields") from error
    return {key: values[0] for key, values in parsed.items()}


def _is_https(request: Request) -> bool:
    return hub_of(request).settings.public_url.startswith("https:")
