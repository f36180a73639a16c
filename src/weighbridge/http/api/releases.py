"""The release calls of our API (docs/format.md section 9): put forward, look, approve, withdraw, name partners."""

from __future__ import annotations

import asyncio
import weakref
from typing import Any, Final

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from weighbridge.accounts import Account, Reader, find_account
from weighbridge.bootstrap import Hub
from weighbridge.errors import InvalidInput, NotFound
from weighbridge.http.auth import reader_of
from weighbridge.http.json import answer, read_json
from weighbridge.hub.access import require_writer
from weighbridge.hub.gate import name_partner, remove_partner
from weighbridge.hub.naming import Repo
from weighbridge.release.candidate import Wish, put_forward
from weighbridge.release.queue import ReleaseQueue, queue_url
from weighbridge.release.requests import request_approval, request_withdrawal
from weighbridge.release.view import find_release, list_releases, release_view, rfc3339_ms
from weighbridge.release.writable import find_known
from weighbridge.storage.database import Row

PREFIX: Final = "/api/weighbridge/v1/repos/{kind}/{namespace}/{name}"
MAX_WISH_BYTES = 32 << 20
"""A hundred thousand files with long paths."""
MAX_WAIT_S = 25
POLL_S = 0.2
MAX_LIMIT = 200


class ApprovalWish(Struct, frozen=True, kw_only=True):
    """What a reviewer says, about exactly what they saw."""

    release_digest: str
    verdict: str
    weights: str
    inference: str
    reason: str = ""


class WithdrawalWish(Struct, frozen=True, kw_only=True):
    """Why a release must go."""

    reason: str


_queues: weakref.WeakKeyDictionary[Any, ReleaseQueue] = weakref.WeakKeyDictionary()
"""One queue a database, owned by the event loop's thread: who serves the API and who serves the pages share it."""


def queue_of(hub: Hub) -> ReleaseQueue:
    """The queue of this hub; opened at its first use."""
    queue = _queues.get(hub.db)
    if queue is None:
        url = queue_url(hub.settings.database_url, hub.settings.workflows_path)
        queue = _queues[hub.db] = ReleaseQueue(url)
    return queue


def routes(hub: Hub) -> list[BaseRoute]:
    """The release calls of our API."""
    desk = ReleaseDesk(hub)
    return [
        Route(f"{PREFIX}/releases", desk.list, methods=["GET"]),
        Route(f"{PREFIX}/releases", desk.create, methods=["POST"]),
        Route(f"{PREFIX}/releases/{{number}}", desk.show, methods=["GET"]),
        Route(f"{PREFIX}/releases/{{number}}/approvals", desk.approve, methods=["POST"]),
        Route(f"{PREFIX}/releases/{{number}}/withdrawal", desk.withdraw, methods=["POST"]),
        Route(f"{PREFIX}/cohort/{{account}}", desk.name_partner, methods=["PUT"]),
        Route(f"{PREFIX}/cohort/{{account}}", desk.remove_partner, methods=["DELETE"]),
    ]


class ReleaseDesk:
    """Answers the release calls of one hub."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def list(self, request: Request) -> Response:
        """Releases that the reader may know of, newest first."""
        repo, reader = await self._known(request)
        limit = _number(request.query_params.get("limit", "50"), "limit", most=MAX_LIMIT)
        rows = await list_releases(self._hub.db, repo, reader, limit=limit)
        return answer({"releases": [await self._view(repo, row, reader) for row in rows]})

    async def create(self, request: Request) -> Response:
        """Puts a release forward; the same again is the same release."""
        repo, reader = await self._known(request)
        await require_writer(self._hub.db, repo, reader)
        wish = await read_json(request, Wish, max_bytes=MAX_WISH_BYTES)
        placed = await put_forward(
            self._hub.db,
            self._hub.blobs,
            repo,
            reader,
            wish,
            hub_policy=self._hub.settings.default_policy,
            now_ms=self._hub.clock(),
        )
        await queue_of(self._hub).release(placed.row["id"])
        return answer(await self._view(repo, placed.row, reader), status=201 if placed.created else 200)

    async def show(self, request: Request) -> Response:
        """One release. With ``wait`` and ``since`` (its ``updated_at``), once it has changed or the wait is over."""
        repo, reader = await self._known(request)
        row = await find_release(self._hub.db, repo, _which(request), reader)
        wait_s = _number(request.query_params.get("wait", "0"), "wait", most=MAX_WAIT_S)
        since = request.query_params.get("since")
        rounds = int(wait_s / POLL_S) if since else 0
        while rounds and rfc3339_ms(row["updated_ms"]) == since:
            await asyncio.sleep(POLL_S)
            rounds -= 1
            row = await find_release(self._hub.db, repo, row["number"], reader)
        return answer(await self._view(repo, row, reader), headers={"Cache-Control": "no-store"})

    async def approve(self, request: Request) -> Response:
        """Signs a reviewer's word."""
        repo, reader = await self._known(request)
        row = await find_release(self._hub.db, repo, _which(request), reader)
        wish = await read_json(request, ApprovalWish)
        await request_approval(
            self._hub.db,
            queue_of(self._hub),
            row,
            reader,
            digest=wish.release_digest,
            weights=wish.weights,
            inference=wish.inference,
            verdict=wish.verdict,
            reason=wish.reason,
        )
        fresh = await find_release(self._hub.db, repo, row["number"], reader)
        return answer(await self._view(repo, fresh, reader), status=201)

    async def withdraw(self, request: Request) -> Response:
        """Withdraws a release, at once."""
        repo, reader = await self._known(request)
        row = await find_release(self._hub.db, repo, _which(request), reader)
        wish = await read_json(request, WithdrawalWish)
        await request_withdrawal(
            self._hub.db, queue_of(self._hub), row, reader, reason=wish.reason, now_ms=self._hub.clock()
        )
        fresh = await find_release(self._hub.db, repo, row["number"], reader)
        return answer(await self._view(repo, fresh, reader))

    async def name_partner(self, request: Request) -> Response:
        """Names a partner of the repo."""
        repo, reader = await self._known(request)
        await require_writer(self._hub.db, repo, reader)  # first: else anybody could ask which accounts there are
        partner = await self._account(request)
        await name_partner(self._hub.db, repo, partner.id, reader, now_ms=self._hub.clock())
        return Response(status_code=204)

    async def remove_partner(self, request: Request) -> Response:
        """Takes a partner's name away."""
        repo, reader = await self._known(request)
        await require_writer(self._hub.db, repo, reader)  # first: else anybody could ask which accounts there are
        partner = await self._account(request)
        await remove_partner(self._hub.db, repo, partner.id, reader, now_ms=self._hub.clock())
        return Response(status_code=204)

    async def _account(self, request: Request) -> Account:
        name = request.path_params["account"]
        account = await find_account(self._hub.db, name)
        if account is None:
            raise NotFound(f"could not find account {name[:96]!r}")
        return account

    async def _known(self, request: Request) -> tuple[Repo, Reader]:
        reader = await reader_of(request)
        kind, namespace, name = (request.path_params[key] for key in ("kind", "namespace", "name"))
        return await find_known(self._hub.db, kind, f"{namespace}/{name}", reader), reader

    async def _view(self, repo: Repo, row: Row, reader: Reader) -> Any:
        return await release_view(self._hub.db, repo, row, reader, public_url=self._hub.settings.public_url)


def _which(request: Request) -> int | str:
    number = request.path_params["number"]
    return number if number == "latest" else _number(number, "release", most=1 << 62)


def _number(text: str, what: str, *, most: int) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise InvalidInput(f"could not read {what} {text[:40]!r}: a number is needed")
    return min(int(text), most)
