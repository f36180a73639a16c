"""Resumable uploads (docs/format.md section 9), after the IETF draft "Resumable Uploads for HTTP".

``POST …/uploads`` begins one, ``PATCH /uploads/{id}`` goes on at ``Upload-Offset``, ``HEAD`` asks how far it is.
Network pieces are gathered to a MiB; while a thread writes and hashes one MiB, the loop receives the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from msgspec import Struct
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from weighbridge.accounts import Account
from weighbridge.bootstrap import Hub
from weighbridge.errors import Conflict, InvalidInput, NotAllowed, NotFound, StorageFull, TooLarge
from weighbridge.http.auth import reader_of, require_scope
from weighbridge.http.json import answer, read_json
from weighbridge.hub.naming import Repo, get_repo
from weighbridge.hub.upload import have, record_upload
from weighbridge.release.incoming import Incoming, IncomingFolder, UploadFacts, parse_length
from weighbridge.release.writable import find_writable

PREFIX: Final = "/api/weighbridge/v1"
BATCH_BYTES = 4 << 20
MAX_HAVE = 1000
PARTIAL_UPLOAD = "application/partial-upload"


class HaveFile(Struct, frozen=True, kw_only=True):
    """A file that a client holds and may not need to send."""

    sha256: str
    size_bytes: int


class HaveRequest(Struct, frozen=True, kw_only=True):
    """Which of these are here already?"""

    files: list[HaveFile]


def routes(hub: Hub) -> list[BaseRoute]:
    """The upload calls of our API."""
    desk = UploadDesk(hub, IncomingFolder(hub.settings.incoming_dir))
    repo = PREFIX + "/repos/{kind}/{namespace}/{name}"
    return [
        Route(f"{repo}/have", desk.have, methods=["POST"]),
        Route(f"{repo}/uploads", desk.create, methods=["POST"]),
        Route(
            PREFIX + "/uploads/{id}",
            _by_method(HEAD=desk.head, PATCH=desk.patch, DELETE=desk.delete),
            methods=["HEAD", "PATCH", "DELETE"],
        ),
    ]


class UploadDesk:
    """Takes uploads in, for one hub."""

    def __init__(self, hub: Hub, folder: IncomingFolder) -> None:
        self._hub = hub
        self._folder = folder

    async def have(self, request: Request) -> Response:
        """Digests, of those asked about, that this writer need not send."""
        repo, _ = await self._writable(request)
        wish = await read_json(request, HaveRequest)
        if len(wish.files) > MAX_HAVE:
            raise TooLarge(f"could not answer about {len(wish.files)} files: at most {MAX_HAVE} at once")
        reader = await reader_of(request)
        sizes = {file.sha256: file.size_bytes for file in wish.files}
        found = await have(self._hub.db, repo, reader, list(sizes))
        return answer({"have": [sha256 for sha256 in sizes if sha256 in found]})

    async def create(self, request: Request) -> Response:
        """Begins an upload; with a body and ``Upload-Complete: ?1``, is all of it."""
        repo, account = await self._writable(request)
        size_bytes = parse_length(request.headers.get("upload-length"))
        upload = self._folder.create(
            repo_id=repo.id, account_id=account.id, size_bytes=size_bytes, now_ms=self._hub.clock()
        )
        headers = {"Location": f"{PREFIX}/uploads/{upload.id}"}
        async with upload.claim():
            await self._receive(upload, request)
            if not upload.complete:
                return Response(status_code=201, headers={**headers, **_progress(upload)})
            facts = await self._keep(upload)
        return answer(facts, status=201, headers={**headers, **_done(facts)})

    async def head(self, request: Request) -> Response:
        """How far an upload is."""
        upload = await self._mine(request)
        async with upload.claim():
            return Response(status_code=204, headers={**_progress(upload), "Cache-Control": "no-store"})

    async def patch(self, request: Request) -> Response:
        """Goes on with an upload."""
        upload = await self._mine(request)
        if request.headers.get("content-type", PARTIAL_UPLOAD) != PARTIAL_UPLOAD:
            raise InvalidInput(f"could not go on with the upload: its content type must be {PARTIAL_UPLOAD}")
        offset = parse_length(request.headers.get("upload-offset"))
        async with upload.claim():
            if offset != upload.offset:
                return _offset_conflict(upload)
            await self._receive(upload, request)
            if not upload.complete:
                return Response(status_code=204, headers=_progress(upload))
            facts = await self._keep(upload)
        return answer(facts, headers=_done(facts))

    async def delete(self, request: Request) -> Response:
        """Gives an upload up."""
        upload = await self._mine(request)
        async with upload.claim():
            self._folder.remove(upload)
        return Response(status_code=204)

    async def _writable(self, request: Request) -> tuple[Repo, Account]:
        reader = await reader_of(request)
        kind, namespace, name = (request.path_params[key] for key in ("kind", "namespace", "name"))
        repo = await find_writable(self._hub.db, kind, f"{namespace}/{name}", reader)
        return repo, require_scope(reader, "write")

    async def _mine(self, request: Request) -> Incoming:
        reader = await reader_of(request)
        account = require_scope(reader, "write")
        upload = self._folder.find(request.path_params["id"], account_id=account.id)
        if reader.account_for(upload.repo_id) is None:
            raise NotAllowed("could not go on with the upload: this token is for another repo")
        return upload

    async def _receive(self, upload: Incoming, request: Request) -> None:
        """Takes the request's body; leaves the upload at the offset that it got to."""
        room = upload.size_bytes - upload.offset
        sent = request.headers.get("content-length")
        if sent is not None and parse_length(sent) > room:
            raise InvalidInput(f"could not accept {sent} bytes: the upload lacks only {room}")
        upload.receiver = asyncio.ensure_future(_pump(upload, request, room))
        try:
            await upload.receiver
        except asyncio.CancelledError:
            if not upload.receiver.cancelled():
                upload.receiver.cancel()
                raise
            raise Conflict("could not go on with the upload: it is continued on another connection") from None
        except StorageFull:
            self._folder.remove(upload)
            raise
        finally:
            upload.receiver = None

    async def _keep(self, upload: Incoming) -> UploadFacts:
        """Moves the complete file among the blobs, and notes who brought it."""
        try:
            facts = await asyncio.to_thread(upload.finish)
            await self._hub.blobs.put_file(facts.sha256, upload.path, size_bytes=facts.size_bytes)
        except StorageFull:
            self._folder.remove(upload)
            raise
        self._folder.remove(upload)
        repo = await get_repo(self._hub.db, upload.repo_id)
        if repo is None or repo.deleted_ms is not None:
            raise NotFound("could not keep the upload: its repo was deleted meanwhile")
        await record_upload(
            self._hub.db,
            repo,
            upload.account_id,
            sha256=facts.sha256,
            git_oid=facts.git_oid,
            size_bytes=facts.size_bytes,
            is_text=facts.is_text,
            now_ms=self._hub.clock(),
        )
        return facts


async def _pump(upload: Incoming, request: Request, room: int) -> None:
    loop = asyncio.get_running_loop()
    writing: asyncio.Future[None] | None = None
    batch: list[bytes] = []
    held = 0
    try:
        async for piece in request.stream():
            batch.append(piece[:room])
            held += len(batch[-1])
            room -= len(batch[-1])
            if len(batch[-1]) < len(piece):
                raise InvalidInput("could not accept all of the body: it is longer than the upload")
            if held >= BATCH_BYTES:
                if writing is not None:
                    await asyncio.shield(writing)
                writing = loop.run_in_executor(None, upload.append, batch)
                batch, held = [], 0
    except ClientDisconnect:
        return  # What came is kept, and the client goes on from there.
    finally:
        # A thread that writes cannot be stopped: the turn must not pass on before it ends.
        if writing is not None:
            await asyncio.shield(writing)
        if batch:
            await asyncio.shield(loop.run_in_executor(None, upload.append, batch))


def _by_method(**endpoints: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return await endpoints[request.method](request)

    return endpoint


def _progress(upload: Incoming) -> dict[str, str]:
    return {
        "Upload-Offset": str(upload.offset),
        "Upload-Length": str(upload.size_bytes),
        "Upload-Complete": "?1" if upload.complete else "?0",
    }


def _done(facts: UploadFacts) -> dict[str, str]:
    size = str(facts.size_bytes)
    return {"Upload-Offset": size, "Upload-Length": size, "Upload-Complete": "?1"}


def _offset_conflict(upload: Incoming) -> Response:
    message = f"could not go on with the upload there: it holds {upload.offset} bytes"
    body = {"error": message, "hint": "Send on from Upload-Offset.", "code": "Conflict"}
    headers = {"X-Error-Code": "Conflict", "X-Error-Message": message, "Cache-Control": "no-store"}
    return answer(body, status=409, headers={**headers, **_progress(upload)})
