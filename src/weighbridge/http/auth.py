"""Who is asking: a bearer token, or the session cookie of the pages.

    reader = await reader_of(request)      # a Reader; ANONYMOUS when nothing was sent
    account = require_account(reader)      # or NotAuthenticated

A token that is wrong, expired or revoked is an error and never "anonymous": a client must learn that its token is bad.
A stale cookie is just nobody: a browser cannot help having it.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.requests import Request

from weighbridge.accounts import ANONYMOUS, Account, Reader, authenticate
from weighbridge.bootstrap import Hub
from weighbridge.errors import NotAllowed, NotAuthenticated

SESSION_COOKIE = "weighbridge_session"
BAD_CREDENTIALS = "Invalid credentials in Authorization header"
"""The exact words that keep clients from reading a 401 as "repo not found"."""

_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_KEY = "weighbridge.reader"


def hub_of(request: Request) -> Hub:
    """The hub that this request was sent to."""
    return request.scope["weighbridge.hub"]


async def reader_of(request: Request) -> Reader:
    """Who is asking. Looked up once a request.

    Raises:
        NotAuthenticated: a bearer token was sent, and is not good.
        NotAllowed: a cookie came with a call that changes something, from another site's page.
    """
    reader = request.scope.get(_KEY)
    if reader is None:
        reader = request.scope[_KEY] = await _find_reader(request)
    return reader


def is_anonymous(request: Request) -> bool:
    """True when the request is known to come from nobody, or its reader was never asked for."""
    reader: Reader | None = request.scope.get(_KEY)
    return reader is None or reader.account is None


def require_account(reader: Reader) -> Account:
    """The account that is asking.

    Raises:
        NotAuthenticated: nobody is logged in.
    """
    if reader.account is None:
        raise NotAuthenticated("could not do this without an account: nobody is logged in")
    return reader.account


def require_scope(reader: Reader, scope: str) -> Account:
    """The account that is asking, whose token is good for ``scope`` (read, write, approve, admin).

    Raises:
        NotAuthenticated: nobody is logged in.
        NotAllowed: the token has not that scope.
    """
    account = require_account(reader)
    if scope not in reader.scopes:
        raise NotAllowed(
            f"could not do this with this token: it has no scope '{scope}'",
            hint=f"Make a token with the scope '{scope}'.",
        )
    return account


async def _find_reader(request: Request) -> Reader:
    hub = hub_of(request)
    header = request.headers.get("authorization")
    if header is not None:
        kind, _, text = header.partition(" ")
        if kind.lower() != "bearer" or not text.strip():
            raise NotAuthenticated(BAD_CREDENTIALS, hint="Send `Authorization: Bearer TOKEN`.")
        try:
            return await authenticate(hub.db, text.strip(), now_ms=hub.clock())
        except NotAuthenticated as error:
            raise NotAuthenticated(BAD_CREDENTIALS, hint=error.diagnostics()) from error
    text = request.cookies.get(SESSION_COOKIE) if b"cookie" in dict(request.scope["headers"]) else None
    return await _session_reader(request, text) if text else ANONYMOUS


async def _session_reader(request: Request, text: str) -> Reader:
    hub = hub_of(request)
    try:
        reader = await authenticate(hub.db, text, now_ms=hub.clock())
    except NotAuthenticated:
        return ANONYMOUS
    if request.method not in _SAFE_METHODS and not _same_site(request, hub.settings.public_url):
        raise NotAllowed(
            "could not accept this from another site's page",
            hint="Open this hub's own page and send it from there, or use a token.",
        )
    return reader


def _same_site(request: Request, public_url: str) -> bool:
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    if origin is None:
        return False
    ours = urlsplit(public_url)
    return origin in (f"{ours.scheme}://{ours.netloc}", f"{request.url.scheme}://{request.headers.get('host', '')}")
