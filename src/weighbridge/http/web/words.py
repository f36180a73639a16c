"""How pages say numbers, times and states: filters of the templates, pure functions.

{{ file.size_bytes | size }}      269.1 MB
{{ release.created_at | when }}   24 Nov 2026, 13:41 UTC
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import NamedTuple

from markupsafe import Markup, escape

from weighbridge.release.names import AUDIENCES, Stage

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Look(NamedTuple):
    """How a state is shown: a tone (css class), an icon of parts.html, and a word. Never by colour alone."""

    tone: str
    icon: str
    word: str


RELEASE_LOOKS = {
    "running": Look("run", "run", "Running"),
    "waiting": Look("wait", "wait", "Waiting at the gate"),
    "released": Look("ok", "ok", "Released"),
    "refused": Look("bad", "bad", "Refused"),
    "failed": Look("bad", "bad", "Failed"),
    "withdrawn": Look("bad", "bad", "Withdrawn"),
}
STAGE_LOOKS = {
    "running": Look("run", "run", "running"),
    "waiting": Look("wait", "wait", "waiting"),
    "passed": Look("ok", "ok", "passed"),
    "failed": Look("bad", "bad", "failed"),
}
LATER = Look("later", "later", "not yet")
UNKNOWN = Look("", "later", "unknown")

STAGES: dict[str, tuple[str, str]] = {
    Stage.RECEIVE: ("Receive", "Every file is on the hub, hashed, and named by one release digest."),
    Stage.INSPECT: ("Inspect", "The files are read, never run: structure, pickles, anything unknown."),
    Stage.DOCUMENT: ("Document", "Checksums, the bill of materials, the facts of the card."),
    Stage.DECIDE: ("Decide", "The policy looks at the evidence and says what is missing."),
    Stage.APPROVE: ("Approve", "People sign a yes or a no to exactly these bytes."),
    Stage.SIGN: ("Sign", "The hub signs the model and the decision."),
    Stage.LOG: ("Log", "The statement gets its place in the transparency log."),
    Stage.PUBLISH: ("Publish", "The dials turn, and readers see the release."),
}
"""Each stage's title and what it does, in the order of the work."""

WEIGHTS_WORDS = {
    "none": "Only those who may write to the repo can download it.",
    "internal": "Members of the organisation can download it.",
    "partners": "Members and named partners can download it.",
    "gated": "Who asks and is let in can download it.",
    "public": "Everyone can download it.",
}
INFERENCE_WORDS = {
    "none": "No hosted use is offered.",
    "internal": "Members of the organisation can use the hosted model.",
    "partners": "Members and named partners can use the hosted model.",
    "gated": "Who asks and is let in can use the hosted model.",
    "public": "Everyone can use the hosted model.",
}


class Step(NamedTuple):
    """One position of a dial: its name, its css classes, and what a screen reader hears after the name."""

    name: str
    classes: str
    said: str


def dial_steps(now: str, wanted: str) -> list[Step]:
    """The five positions of a dial that stands at ``now`` and was asked to stand at ``wanted``."""
    here, target = AUDIENCES.index(now), AUDIENCES.index(wanted)
    return [_step(place, name, here=here, target=target) for place, name in enumerate(AUDIENCES)]


def _step(place: int, name: str, *, here: int, target: int) -> Step:
    if place == here:
        return Step(name, "open here", "now, as asked" if here == target else "now")
    if place < here:
        return Step(name, "open", "")
    if place == target:
        return Step(name, "asked target", "asked")
    return Step(name, "asked" if place < target else "", "")


def release_look(state: str) -> Look:
    """How a release's state is shown."""
    return RELEASE_LOOKS.get(state, UNKNOWN)


def stage_look(state: str) -> Look:
    """How a stage's state is shown; a stage that has not begun has the empty state."""
    return STAGE_LOOKS.get(state, LATER)


def ticked(text: str) -> Markup:
    """``text`` escaped, with what stands between backticks as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704  escaped one call before


def size(size_bytes: int) -> str:
    """A size in decimal units, one digit after the point: ``269.1 MB``; below 1 kB the bytes."""
    if size_bytes < 1000:
        return f"{size_bytes} B"
    value = float(size_bytes)
    for unit in ("kB", "MB", "GB", "TB"):
        value /= 1000
        if value < 999.95:
            return f"{value:.1f} {unit}"
    return f"{value / 1000:,.1f} PB"


def count(number: int) -> str:
    """A count with thin groups: ``134 515 008`` (narrow no-break spaces)."""
    return f"{number:,}".replace(",", "\u202f")


def when(text: str) -> str:
    """A time for people, of RFC 3339 text: ``24 Nov 2026, 13:41 UTC``."""
    moment = datetime.fromisoformat(text).astimezone(UTC)
    return f"{moment.day} {MONTHS[moment.month - 1]} {moment.year}, {moment:%H:%M} UTC"


def rfc3339(at_ms: int) -> str:
    """RFC 3339 text of milliseconds since 1970."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def took(started: str, ended: str | None) -> str:
    """How long from ``started`` to ``ended``: ``0.4 s``, ``2 min 5 s``; empty while it is not over."""
    if not ended:
        return ""
    seconds = (datetime.fromisoformat(ended) - datetime.fromisoformat(started)).total_seconds()
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds >= 0.05 else "under 0.1 s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
