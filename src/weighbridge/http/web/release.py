"""The page of one release: how it was decided, by whom, on what evidence, and how to check it."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from weighbridge.bootstrap import Hub
from weighbridge.errors import NotFound
from weighbridge.http.auth import hub_of
from weighbridge.http.web.repo import Opened, approvers, open_known_repo
from weighbridge.http.web.site import page
from weighbridge.http.web.words import release_look
from weighbridge.hub.access import Readable
from weighbridge.release.view import ReleaseView, find_release, release_view
from weighbridge.tlog.tiles import WIDTH, entries_key

_OVER = ("refused", "failed", "withdrawn")


async def release_page(request: Request) -> Response:
    """Dials, stages, findings, decision, approvals, statements, log entry, and the commands that check or go on."""
    opened = await open_known_repo(request)
    hub = hub_of(request)
    row = await find_release(hub.db, opened.repo, _number(request), opened.reader)
    view = await release_view(hub.db, opened.repo, row, opened.reader, public_url=hub.settings.public_url)
    context = await _context(hub, opened, view)
    return page(request, opened.reader, "release.html", **context)


def routes() -> list[Route]:
    """``/ns/name/releases/N`` and the same under ``/datasets``; ``latest`` is a number too."""
    return [Route(f"{prefix}/{{ns}}/{{name}}/releases/{{number}}", release_page) for prefix in ("/datasets", "")]


async def _context(hub: Hub, opened: Opened, view: ReleaseView) -> dict[str, Any]:
    missing = {item.rule for item in view.missing}
    return {
        "repo": opened.name,
        "release": view,
        "look": release_look(view.state),
        "linked": False,
        "wanted": view.current if view.state in _OVER else view.wanted,
        "by_stage": {str(stage.name): stage for stage in view.stages},
        "passed": sum(rule.passed for rule in view.rules),
        "waiting_rules": missing if view.state == "waiting" else set[str](),
        "approvers": approvers(view),
        "commands": _commands(opened, view, hub.settings.public_url),
        "revision_name": view.commit,
        "advisory_id": view.withdrawal.advisory if view.withdrawal else "",
        "attestations": _attestations(opened, view),
        "tile": await _tile(hub, view),
    }


def _commands(opened: Opened, view: ReleaseView, url: str) -> list[str]:
    if view.state != "waiting":
        return []
    return [f'weighbridge approve {opened.name.full_name} {view.number} --reason "why" --hub {url}']


def _attestations(opened: Opened, view: ReleaseView) -> str:
    """Where the statements' envelopes are, for a reader who may read the release's files."""
    visible = opened.visible
    if view.commit is None or not isinstance(visible, Readable) or visible.revision.oid != view.commit:
        return ""
    return f"{opened.name.path}/resolve/{view.commit}/.release/attestations.jsonl"


async def _tile(hub: Hub, view: ReleaseView) -> str:
    """Where the bundle with the release's log entry is; empty until the log has published it."""
    if view.log is None:
        return ""
    try:
        note = await hub.objects.get("checkpoint")
    except NotFound:
        return ""
    size = int(note.split(b"\n")[1])
    index = view.log.position // WIDTH
    if view.log.position >= size:
        return ""
    return f"/tlog/{entries_key(index, min(WIDTH, size - index * WIDTH))}"


def _number(request: Request) -> int | str:
    text: str = request.path_params["number"]
    if text == "latest":
        return text
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise NotFound("could not find the release: its number is not a number")
    return int(text)
