"""The job ``cel`` of the sandbox: evaluates one rule's conditions. Runs inside a cell only; see policy/judge.py.

CEL has no limits of its own (a map of 451 characters ran for 8 seconds, holding the GIL), hence the process of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cel
import msgspec

from weighbridge.policy.question import Answer, Outcome, Question

# More approvals than any rule asks for: "would this rule pass if only more people approved?"
_MANY = 1_000


def run(request: bytes, report: Callable[[int], None]) -> bytes:  # noqa: ARG001 - the signature of a job
    """The Answer to a Question, both as JSON."""
    question = msgspec.json.decode(request, type=Question)
    return msgspec.json.encode(_answer(question))


def readable(request: bytes) -> list[str]:  # noqa: ARG001 - the signature of a job
    """No file at all."""
    return []


def _answer(question: Question) -> Answer:
    facts = question.facts
    require = _evaluate(question.require, facts)
    return Answer(
        require=require,
        when=None if question.when is None else _evaluate(question.when, facts),
        with_approvals=facts is not None and not require.value and _would_pass(question.require, facts),
    )


def _evaluate(condition: str, facts: dict[str, Any] | None) -> Outcome:
    try:
        program = cel.compile(condition)
        value = program.execute(facts) if facts is not None else True
    except Exception as error:  # noqa: BLE001 - KeyError, TypeError, RuntimeError, ValueError all mean "no"
        return Outcome(error=_in_words(error))
    if not isinstance(value, bool):
        return Outcome(error=f"the condition is not true or false but {type(value).__name__}")
    return Outcome(value=value)


def _would_pass(condition: str, facts: dict[str, Any]) -> bool:
    """Whether the condition asks who approved, and would hold if many more people did."""
    approvals = facts.get("approvals")
    if not isinstance(approvals, dict) or "approvals" not in condition:
        return False
    more = {"approved": _MANY, "by": [f"account:{number}" for number in range(_MANY)]}
    return _evaluate(condition, {**facts, "approvals": {**approvals, **more}}).value


def _in_words(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"fact missing: {error.args[0] if error.args else 'unknown'}"
    return " ".join(str(error).split())[:300]
