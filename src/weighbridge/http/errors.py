"""The one place where an error becomes a status, headers and a body.

    raise RepoNotFound("could not find acme/tiny: no such repo")   # anywhere below

The headers are those that Hugging Face clients turn back into exceptions (``huggingface_hub/utils/_http.py``).
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from weighbridge import errors
from weighbridge.http.json import answer

DISABLED = "Access to this resource is disabled."
"""The exact words by which clients know a withdrawal (``DisabledRepoError``)."""

MAX_HEADER_CHARS = 1024

_STATUS: dict[type[Exception], int] = {
    errors.InvalidInput: 400,
    errors.UnprocessableFile: 422,
    errors.TooLarge: 413,
    errors.NotAuthenticated: 401,
    errors.NotAllowed: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.PreconditionFailed: 412,
    errors.Refused: 403,
    errors.StorageFull: 507,
    errors.Unavailable: 503,
}
_ANONYMOUS_STATUS: dict[type[Exception], int] = {errors.RepoNotFound: 401, errors.GatedRepo: 401}
"""As the Hugging Face Hub does: who is not logged in is asked to, whether the repo exists or not."""


class NotImplementedHere(errors.WeighbridgeError):
    """Part of the Hugging Face API that this hub does not have (HTTP 501)."""


class MethodNotAllowed(errors.WeighbridgeError):
    """The path is served, by other methods (HTTP 405)."""

    def __init__(self, message: str, *, allow: str) -> None:
        super().__init__(message)
        self.allow = allow


class AbsentEntry(errors.EntryNotFound):
    """No such file in a revision that the reader may list: ``commit`` lets clients cache the absence."""

    def __init__(self, message: str, *, commit: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.commit = commit


class RepoExists(errors.Conflict):
    """A repo of this name is there already, at ``url`` (clients with ``exist_ok`` go on with it)."""

    def __init__(self, message: str, *, url: str) -> None:
        super().__init__(message)
        self.url = url


class TooManyAttempts(errors.NotAllowed):
    """Asked too often; it may be asked again after ``retry_after_s`` seconds (HTTP 429)."""

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__(message, hint=f"Try again in {retry_after_s} seconds.")
        self.retry_after_s = retry_after_s


_STATUS[TooManyAttempts] = 429
_STATUS[NotImplementedHere] = 501
_STATUS[MethodNotAllowed] = 405


def status_of(error: Exception, *, anonymous: bool) -> int:
    """The HTTP status of ``error``: that of its nearest listed ancestor, else 500."""
    for kind in type(error).__mro__:
        if anonymous and kind in _ANONYMOUS_STATUS:
            return _ANONYMOUS_STATUS[kind]
        if kind in _STATUS:
            return _STATUS[kind]
    return 500


def known(error: Exception) -> errors.WeighbridgeError | None:
    """``error`` as one whose text may be shown; None when it must stay inside (HTTP 500)."""
    if isinstance(error, HTTPException):
        return _from_starlette(error)
    if isinstance(error, errors.WeighbridgeError) and status_of(error, anonymous=False) != 500:
        return error
    return None


def internal_error(request_id: str) -> Response:
    """The answer to what should not have happened: the request id, and nothing of the inside."""
    body = {
        "error": "The hub could not answer: an internal error.",
        "hint": f"Give the request id {request_id} to the people who run this hub; it is in their log.",
        "code": "InternalError",
        "request_id": request_id,
    }
    return answer(body, status=500, headers={"X-Error-Code": "InternalError", "X-Error-Message": body["error"]})


def error_response(error: errors.WeighbridgeError, *, anonymous: bool) -> Response:
    """The JSON answer to ``error``, with the headers that clients read."""
    response = answer(error_body(error), status=status_of(error, anonymous=anonymous))
    for name, value in error_headers(error, status=response.status_code).items():
        response.raw_headers.append((name.encode("latin-1"), value.encode("utf-8")))
    return response


def error_body(error: errors.WeighbridgeError) -> dict[str, object]:
    """What the body says: the words, what to do next, the name, and what a particular error knows."""
    body: dict[str, object] = {
        "error": message_of(error),
        "hint": error.diagnostics(),
        "code": code_of(error),
    }
    if isinstance(error, errors.WithdrawnRelease):
        body["advisory"] = error.advisory
    if isinstance(error, errors.Refused):
        body["missing"] = error.missing
    if isinstance(error, RepoExists):
        body["url"] = error.url
    return body


def error_headers(error: errors.WeighbridgeError, *, status: int) -> Mapping[str, str]:
    """Headers of the answer to ``error``; lower-case names, values without control characters."""
    headers = {"x-error-code": code_of(error), "x-error-message": _header_text(message_of(error))}
    if status == 401:
        headers["www-authenticate"] = "Bearer"
    if isinstance(error, MethodNotAllowed):
        headers["allow"] = error.allow
    if isinstance(error, TooManyAttempts):
        headers["retry-after"] = str(error.retry_after_s)
    if isinstance(error, AbsentEntry):
        headers["x-repo-commit"] = error.commit
    # A refusal can end at any moment (a grant, a release): no cache between may keep it.
    headers["cache-control"] = "no-store"
    return headers


def code_of(error: errors.WeighbridgeError) -> str:
    """The name by which programs know ``error``: its class in the tree, whatever the transport adds to it."""
    return next(kind.__name__ for kind in type(error).__mro__ if kind.__module__ == errors.__name__)


def message_of(error: errors.WeighbridgeError) -> str:
    """The words of ``error``; for a withdrawal the ones that clients compare with."""
    return DISABLED if isinstance(error, errors.WithdrawnRelease) else error.message


def not_found(request: Request) -> errors.NotFound:
    """What to raise for a path that nothing serves."""
    return errors.NotFound(
        f"could not answer {request.method} {request.url.path}: this hub serves nothing there",
        hint="Uploads by the Hugging Face clients are not served by this version: use `weighbridge release`.",
    )


def _from_starlette(error: HTTPException) -> errors.WeighbridgeError | None:
    headers = error.headers or {}
    match error.status_code:
        case 404:
            return errors.NotFound(f"could not answer: {error.detail}")
        case 405:
            return MethodNotAllowed(f"could not answer: {error.detail}", allow=headers.get("Allow", ""))
        case 413:
            return errors.TooLarge(f"could not read the request: {error.detail}")
        case status if 400 <= status < 500:
            return errors.InvalidInput(f"could not read the request: {error.detail}")
        case _:
            return None


def _header_text(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text[:MAX_HEADER_CHARS])
