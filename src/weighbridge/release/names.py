"""The words of a release: stages, states, audiences. One spelling from the table to the URL."""

from __future__ import annotations

from enum import StrEnum

from weighbridge.errors import InvalidInput

AUDIENCES = ("none", "internal", "partners", "gated", "public")
"""Who may use a dial's side of a release, from nobody to everybody."""

RELEASE_QUEUE = "releases"
APPROVAL_QUEUE = "approvals"
GATE_TOPIC = "gate"
"""DBOS queues, and the topic on which a waiting release is told that something changed at its gate."""


class Stage(StrEnum):
    """The stages of a release, in order; position in the table is 1-based in this order."""

    RECEIVE = "receive"
    INSPECT = "inspect"
    DOCUMENT = "document"
    DECIDE = "decide"
    APPROVE = "approve"
    SIGN = "sign"
    LOG = "log"
    PUBLISH = "publish"

    @property
    def position(self) -> int:
        """1 for the first stage."""
        return list(Stage).index(self) + 1


class StageState(StrEnum):
    """Where one stage stands."""

    RUNNING = "running"
    WAITING = "waiting"
    PASSED = "passed"
    FAILED = "failed"


class ReleaseState(StrEnum):
    """Where a release stands in the table; a withdrawn one is ``released`` there and has a row in ``withdrawal``."""

    RUNNING = "running"
    WAITING = "waiting"
    RELEASED = "released"
    REFUSED = "refused"
    FAILED = "failed"
    WITHDRAWN = "withdrawn"


class Verdict(StrEnum):
    """What a reviewer says."""

    APPROVE = "approve"
    REJECT = "reject"


def rank(audience: str) -> int:
    """Place of an audience in the order, 0 for ``none``.

    Raises:
        InvalidInput: no such audience.
    """
    if audience not in AUDIENCES:
        raise InvalidInput(
            f"could not use audience {audience!r}: no such audience", hint=f"One of: {', '.join(AUDIENCES)}."
        )
    return AUDIENCES.index(audience)
