"""``HEAD`` and ``GET [datasets/]{ns}/{name}/resolve/{rev}/{path}``: a file's bytes, to who may read them now."""

from __future__ import annotations

from starlette.responses import Response

from weighbridge.errors import EntryNotFound, InvalidInput
from weighbridge.http.blobs import send_blob
from weighbridge.http.errors import AbsentEntry
from weighbridge.http.hf.names import open_call
from weighbridge.http.hf.routing import RepoCall
from weighbridge.http.query import Query
from weighbridge.hub.access import readable
from weighbridge.hub.files import CARD, File, card_file, find_file
from weighbridge.hub.visible import CardOnly, Gated


async def resolve(call: RepoCall) -> Response:
    """The file, or the range of it that is asked for."""
    if len(call.rest) < 2 or not call.rest[0]:
        raise InvalidInput("could not answer: the path names no revision or no file")
    revision, path = call.rest[0], "/".join(call.rest[1:])
    repo, visible, _ = await open_call(call, revision)
    if path == CARD and isinstance(visible, Gated | CardOnly):
        # Who sees the page reads the card there; so it is no secret here.
        file = await card_file(call.hub.db, visible.revision)
        if file is not None:
            return _send(call, visible.revision.oid, file)
    commit = readable(visible, repo)
    try:
        return _send(call, commit.oid, await find_file(call.hub.db, commit, path))
    except EntryNotFound as error:
        raise AbsentEntry(error.message, commit=commit.oid, hint=error.diagnostics()) from error


def _send(call: RepoCall, oid: str, file: File) -> Response:
    attached = bool(Query.of(call.request).text("download"))
    return send_blob(
        call.request,
        file.sha256,
        file.size_bytes,
        headers=headers_of(oid, file),
        filename=file.path.rpartition("/")[2],
        content_type="text/plain; charset=utf-8" if file.kind == "file" else "application/octet-stream",
        disposition="attachment" if attached else "inline",
    )


def headers_of(oid: str, file: File) -> dict[str, str]:
    """The headers of a file, but for its length, type, name and range.

    The etag becomes the file's name in clients' caches: git's blob id, or the sha256 of an LFS file. Nothing between
    may keep the answer without asking again, so that a withdrawal holds. Whatever the bytes are, a browser runs none.
    """
    etag = f'"{file.sha256 if file.kind == "lfs" else file.oid}"'
    headers = {
        "ETag": etag,
        "X-Repo-Commit": oid,
        "Cache-Control": "private, no-cache",
        "Vary": "Authorization, Cookie",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    if file.kind == "lfs":
        headers["X-Linked-Etag"] = etag
        headers["X-Linked-Size"] = str(file.size_bytes)
    return headers
