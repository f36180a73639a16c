from __future__ import annotations

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tests.http.asgi import call
from weighbridge import errors
from weighbridge.http.errors import (
    AbsentEntry,
    MethodNotAllowed,
    NotImplementedHere,
    RepoExists,
    TooManyAttempts,
    error_response,
)
from weighbridge.http.middleware import Answering


async def _render(request: Request, error: errors.WeighbridgeError) -> Response:
    return error_response(error, anonymous=True)


def raising(error: Exception) -> Answering:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise error

    return Answering(app, _render)


CASES = [
    (errors.InvalidInput("x"), 400, "InvalidInput"),
    (errors.UnprocessableFile("x"), 422, "UnprocessableFile"),
    (errors.UnreadableFile("x"), 400, "UnreadableFile"),
    (errors.TooLarge("x"), 413, "TooLarge"),
    (errors.NotAuthenticated("x"), 401, "NotAuthenticated"),
    (errors.NotAllowed("x"), 403, "NotAllowed"),
    (errors.RevisionNotFound("x"), 404, "RevisionNotFound"),
    (errors.EntryNotFound("x"), 404, "EntryNotFound"),
    (errors.Conflict("x"), 409, "Conflict"),
    (errors.PreconditionFailed("x"), 412, "PreconditionFailed"),
    (errors.Refused("x", missing=("a",)), 403, "Refused"),
    (errors.StorageFull("x"), 507, "StorageFull"),
    (errors.Unavailable("x"), 503, "Unavailable"),
    (errors.DigestMismatch("x"), 400, "DigestMismatch"),
    (NotImplementedHere("x"), 501, "WeighbridgeError"),
    (MethodNotAllowed("x", allow="GET"), 405, "WeighbridgeError"),
    (RepoExists("x", url="http://h/a/b"), 409, "Conflict"),
    (AbsentEntry("x", commit="c" * 40), 404, "EntryNotFound"),
    (TooManyAttempts("x", retry_after_s=7), 429, "NotAllowed"),
    (HTTPException(404), 404, "NotFound"),
    (HTTPException(405, headers={"Allow": "GET"}), 405, "WeighbridgeError"),
]


@pytest.mark.parametrize(("error", "status", "code"), CASES, ids=lambda value: type(value).__name__)
async def test_every_error_has_its_status_code_and_words(error: Exception, status: int, code: str) -> None:
    answer = await call(raising(error), "GET", "/x")
    assert answer.status == status
    assert answer.header("x-error-code") == code == answer.json["code"]
    assert answer.json["error"] == answer.header("x-error-message")
    assert answer.header("cache-control") == "no-store"


@pytest.mark.parametrize(("anonymous", "repo", "gated"), [(True, 401, 401), (False, 404, 403)])
def test_who_is_not_logged_in_is_asked_to(anonymous: bool, repo: int, gated: int) -> None:
    assert error_response(errors.RepoNotFound("x"), anonymous=anonymous).status_code == repo
    assert error_response(errors.GatedRepo("x"), anonymous=anonymous).status_code == gated


async def test_a_withdrawal_says_the_words_that_clients_know_and_carries_its_advisory() -> None:
    answer = await call(raising(errors.WithdrawnRelease("gone", advisory={"id": "WB-1"})), "GET", "/x")
    assert answer.status == 403
    assert answer.header("x-error-message") == "Access to this resource is disabled."
    assert answer.json["advisory"] == {"id": "WB-1"}


async def test_an_absent_file_names_the_commit_so_that_clients_remember_its_absence() -> None:
    answer = await call(raising(AbsentEntry("no", commit="a" * 40)), "GET", "/x")
    assert answer.header("x-repo-commit") == "a" * 40


@pytest.mark.parametrize(
    "error", [RuntimeError("secret /root/x"), errors.StorageError("secret /root/x"), errors.SandboxError("secret")]
)
async def test_what_should_not_happen_tells_the_request_id_and_nothing_of_the_inside(error: Exception) -> None:
    answer = await call(raising(error), "GET", "/x", headers={"X-Request-Id": "abc-1"})
    assert answer.status == 500
    assert answer.json["request_id"] == "abc-1" == answer.header("x-request-id")
    assert b"secret" not in answer.body
    assert "secret" not in str(answer.headers)


async def test_the_request_id_is_the_clients_or_amazons_or_new() -> None:
    app = raising(errors.NotFound("x"))
    assert (await call(app, "GET", "/", headers={"X-Request-Id": "mine"})).header("x-request-id") == "mine"
    assert (await call(app, "GET", "/", headers={"X-Amzn-Trace-Id": "Root=1"})).header("x-request-id") == "Root=1"
    fresh = {
        (await call(app, "GET", "/", headers={"X-Request-Id": "bad\x7f"})).header("x-request-id") for _ in range(2)
    }
    assert len(fresh) == 2
    assert all(fresh)


async def test_control_characters_of_a_message_do_not_reach_the_headers() -> None:
    answer = await call(raising(errors.InvalidInput("could not\r\nSet-Cookie: a=b é")), "GET", "/x")
    assert answer.header("x-error-message") == "could not  Set-Cookie: a=b é"
    assert answer.header("set-cookie") is None
