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
from weighbridge.hub.access import Gated, Readable, visible_revision
from weighbridge.release.view import ReleaseView, find_release, is_insider, release_view
from weighbridge.tlog.tiles import WIDTH, entries_key

_OVER = ("refused", "failed", "withdrawn")


async def release_page(request: Request) -> Response:
    """Dials, stages, findings, decision, approvals, statements, log entry, and the commands that check or go on."""
    opened = await open_known_repo(request)
    hub = hub_of(request)
    row = await find_release(hub.db, opened.repo, _number(request), opened.reader)
    view = await release_view(hub.db, opened.repo, row, opened.reader, public_url=hub.settings.public_url)
    visible = await visible_revision(hub.db, opened.repo, f"refs/releases/{view.number}", opened.reader)
    context = await _context(hub, opened, view)
    context |= {
        "is_listed": isinstance(visible, Readable | Gated) or await is_insider(hub.db, opened.repo, opened.reader),
        "attestations": _attestations(opened, view) if isinstance(visible, Readable) else "",
    }
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
        "details": {rule.id: rule.detail for rule in view.rules},
        "passed": sum(rule.passed for rule in view.rules),
        "waiting_rules": missing if view.state == "waiting" else set[str](),
        "approvers": approvers(view),
        "commands": _commands(opened, view, hub.settings.public_url),
        "advisory_id": view.withdrawal.advisory if view.withdrawal else "",
        "tile": await _tile(hub, view),
    }


def _commands(opened: Opened, view: ReleaseView, url: str) -> list[str]:
    """What a reviewer types; either of them."""
    if view.state != "waiting":
        return []
    kind = " --type dataset" if opened.name.type == "dataset" else ""
    what = f"{opened.name.full_name}@{view.number}{kind} --reason WHY --hub {url}"
    return [f"weighbridge {verdict} {what}" for verdict in ("approve", "reject")]


def _attestations(opened: Opened, view: ReleaseView) -> str:
    """Where the statements' envelopes are among the release's files."""
    return f"{opened.name.path}/resolve/{view.commit}/.release/attestations.jsonl" if view.commit else ""


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
