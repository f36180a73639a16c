"""What is asked of the process that evaluates conditions, and its answer. Apart: only that process loads CEL."""

from __future__ import annotations

from typing import Any

import msgspec


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One rule and the facts. Without facts the conditions are only compiled."""

    require: str
    when: str | None = None
    facts: dict[str, Any] | None = None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """A condition's value, or why it has none."""

    value: bool = False
    error: str = ""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the conditions came to. ``with_approvals``: ``require`` if many more people approved."""

    require: Outcome
    when: Outcome | None = None
    with_approvals: bool = False
