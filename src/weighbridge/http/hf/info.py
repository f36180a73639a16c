"""``GET /api/{models|datasets}/{ns}/{name}[/revision/{rev}]``: the hottest path of the hub."""

from __future__ import annotations

from starlette.responses import Response

from weighbridge.errors import WithdrawnRelease
from weighbridge.http.hf.names import Seen, open_call
from weighbridge.http.hf.repo_json import Described, RevisionParts, describe
from weighbridge.http.hf.routing import RepoCall
from weighbridge.http.json import answer
from weighbridge.http.query import Query
from weighbridge.hub.visible import Withdrawn


class RepoInfo:
    """Answers what a repo is, of the revision that this reader sees."""

    def __init__(self, parts: RevisionParts) -> None:
        self._parts = parts

    async def at_main(self, call: RepoCall) -> Response:
        """Of the default revision."""
        return await self._answer(call, None)

    async def at_revision(self, call: RepoCall) -> Response:
        """Of the revision named in the path."""
        return await self._answer(call, "/".join(call.rest))

    async def _answer(self, call: RepoCall, revision: str | None) -> Response:
        query = Query.of(call.request)
        repo, visible, reader = await open_call(call, revision)
        shown = described(visible)
        body = await describe(
            call.hub,
            repo,
            shown,
            reader,
            parts=self._parts,
            blobs=query.flag("blobs"),
            expand=frozenset(query.texts("expand")),
        )
        return answer(body)


def described(visible: Seen) -> Described:
    """``visible`` itself, unless it is withdrawn.

    Raises:
        WithdrawnRelease: with its advisory.
    """
    if isinstance(visible, Withdrawn):
        raise WithdrawnRelease("could not show this release: it was withdrawn", advisory=visible.advisory)
    return visible
