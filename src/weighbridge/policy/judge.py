"""A sandboxed process that evaluates conditions, kept for many decisions and replaced when a condition breaks it."""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType
from typing import Any, Self

import msgspec

from weighbridge.errors import SandboxError
from weighbridge.policy.question import Answer, Outcome, Question
from weighbridge.policy.rules import Rule
from weighbridge.sandbox import Cell, Limits

RULE_TIMEOUT_S = 20.0  # wall time, for a machine under load; the processor time below is what ends a loop
MAX_BREAKDOWNS = 3  # rules that break the process, per decision; each costs a timeout
_LIMITS = Limits(memory_bytes=512 << 20, cpu_s=1, open_files=32)


class Judge:
    """Evaluates rules, one at a time. Use it as an async context manager; tasks may share one.

    A rule that loops, explodes or crashes its process counts as not met, with that as its reason; the next rule gets a
    new process.
    """

    def __init__(self, *, rule_timeout_s: float = RULE_TIMEOUT_S) -> None:
        self.rule_timeout_s = rule_timeout_s
        self._cell = Cell("cel", _LIMITS)  # owner: who holds _lock
        self._lock = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.end()

    async def end(self) -> None:
        """Ends the process; the next question starts another."""
        await self._cell.end()

    async def weigh(self, rule: Rule, facts: dict[str, Any] | None) -> Answer:
        """What the rule's conditions come to over the facts; without facts, whether they compile.

        Raises:
            SandboxError: the conditions broke the process or its limits.
        """
        try:
            question = msgspec.json.encode(Question(require=rule.require, when=rule.when, facts=facts))
        except (TypeError, ValueError, OverflowError, RecursionError) as error:  # a card may hold anything
            raise SandboxError(f"could not write the facts as JSON: {error}") from error
        async with self._lock:
            reply = await self._ask(question)
        try:
            return msgspec.json.decode(reply, type=Answer)
        except msgspec.MsgspecError as error:
            raise SandboxError(f"could not read the judge's answer: {error}") from error

    async def _ask(self, question: bytes) -> bytes:
        if self._cell.alive:
            with contextlib.suppress(SandboxError):
                return await self._cell.ask(question, timeout_s=self.rule_timeout_s)
            # It may have been gone before it was asked. Only what breaks a new process is the rule's own doing.
        await self._cell.end()
        await self._cell.start()
        return await self._cell.ask(question, timeout_s=self.rule_timeout_s)


def broken(error: SandboxError) -> Answer:
    """The answer for a rule that broke its process: not met."""
    return Answer(require=Outcome(error=f"could not be evaluated: {error.message}"))
