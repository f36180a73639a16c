"""The page of an error. A thing that is hidden and a thing that is absent get the same page."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from weighbridge.accounts import ANONYMOUS, Reader
from weighbridge.bootstrap import Hub
from weighbridge.errors import NotFound, WeighbridgeError
from weighbridge.http.auth import reader_of
from weighbridge.http.web.site import page

_HEADINGS = {
    400: "That could not be understood",
    401: "Log in first",
    403: "This is not open to you",
    404: "There is nothing here",
    405: "That cannot be done here",
    429: "Too many tries",
    507: "The hub is out of space",
}


async def error_page(hub: Hub, request: Request, error: WeighbridgeError, *, status: int) -> Response:
    """The page that tells a person what went wrong and what to do."""
    del hub
    message, hint = error.message, error.diagnostics()
    if isinstance(error, NotFound):
        # Words that depend on the error could tell a hidden thing from an absent one.
        message, hint = "", "The address may be wrong, or what it names is not open to you."
    return page(
        request,
        await _reader(request),
        "error.html",
        status=status,
        heading=_HEADINGS.get(status, "That did not work"),
        message=_sentence(message),
        hint=hint,
    )


async def _reader(request: Request) -> Reader:
    try:
        return await reader_of(request)
    except WeighbridgeError:
        return ANONYMOUS


def _sentence(message: str) -> str:
    return message[:1].upper() + message[1:] + ("" if message.endswith((".", "!", "?")) or not message else ".")
