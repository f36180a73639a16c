"""The durable workflow of a release: which stage follows which, and what happens when one says no.

    register(desk, observer=print)          # before DBOS.launch(), in the worker

DBOS writes down each step's answer; after a crash the workflow runs again, takes the answers that it has, and goes on
at the step that has none. So a step may run twice, and each is written to add nothing the second time. Steps answer
with words, never with objects: what is true is in the tables.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from weighbridge.errors import Conflict, Refused, StorageError, WeighbridgeError
from weighbridge.oversight.event import append_event
from weighbridge.release import stages
from weighbridge.release.approval import ApprovalOrder
from weighbridge.release.approval_stage import sign_approval
from weighbridge.release.case import read_row
from weighbridge.release.decide_stage import decide_release, sign_refusal, sign_release
from weighbridge.release.desk import Desk
from weighbridge.release.document_stage import document_candidate
from weighbridge.release.gate import Gate
from weighbridge.release.inspect_stage import inspect_candidate
from weighbridge.release.log_stage import log_intent, log_statements
from weighbridge.release.names import GATE_TOPIC, ReleaseState, Stage
from weighbridge.release.publish_stage import log_effect, publish_release
from weighbridge.release.queue import error_answer
from weighbridge.release.receive_stage import receive_candidate
from weighbridge.release.withdrawal_stage import sign_withdrawal
from weighbridge.storage.database import load_queries

QUERIES = load_queries("weighbridge.release")
GATE_TIMEOUT_S = 3600.0
"""How long the gate waits for word before it looks again by itself."""
ATTEMPTS = 6
_log = logging.getLogger(__name__)
Observer = Callable[[str], None]
Work = Callable[[Desk, str], Awaitable[str | None]]


class _Stopped(Exception):
    """A stage said no, or broke: the workflow goes to its end."""

    def __init__(self, state: ReleaseState, problem: str) -> None:
        super().__init__(problem)
        self.state = state
        self.problem = problem


def register(desk: Desk, *, observer: Observer) -> None:
    """Makes the workflows ``release``, ``approve`` and ``withdraw`` known to DBOS."""
    from dbos import DBOS

    steps = _Steps(desk, observer)

    async def release(release_id: str) -> str:
        try:
            await _carry(steps, release_id)
        except _Stopped as stopped:
            return await steps.stop(release_id, stopped)
        return ReleaseState.RELEASED.value

    async def approve(order: dict[str, Any]) -> dict[str, Any] | None:
        refusal = await steps.approve(order)
        if refusal is None:
            with contextlib.suppress(_unknown_workflow()):
                await DBOS.send_async(order["release_id"], order["account_id"], GATE_TOPIC)
        return refusal

    async def withdraw(release_id: str) -> None:
        await steps.run("withdraw", sign_withdrawal, release_id)

    DBOS.workflow(name="release", max_recovery_attempts=None)(release)
    DBOS.workflow(name="approve", max_recovery_attempts=None)(approve)
    DBOS.workflow(name="withdraw", max_recovery_attempts=None)(withdraw)


async def _carry(steps: _Steps, release_id: str) -> None:
    """Through every stage. ``max_recovery_attempts`` is None, since a release may wait longer than a hub stays up."""
    from dbos import DBOS

    await steps.run("receive", receive_candidate, release_id)
    for name, work in (("inspect", steps.inspect), ("document", document_candidate)):
        problem = await steps.run(name, work, release_id)
        if problem:
            raise _Stopped(ReleaseState.REFUSED, problem)
    while True:
        gate = await steps.run("decide", decide_release, release_id)
        if gate == Gate.OPEN:
            gate = await steps.run("sign", sign_release, release_id)
            if gate == Gate.OPEN:
                break
        if gate == Gate.SHUT:
            raise _Stopped(ReleaseState.REFUSED, "")
        await DBOS.recv_async(GATE_TOPIC, timeout_seconds=GATE_TIMEOUT_S)
    await steps.run("log", log_intent, release_id)
    await steps.run("publish", publish_release, release_id)
    await steps.run("effect", log_effect, release_id)


class _Steps:
    """Runs work as DBOS steps. ``_inspecting`` bounds the sandboxes at work: each takes a core and gigabytes."""

    def __init__(self, desk: Desk, observer: Observer) -> None:
        self._desk = desk
        self._observer = observer
        self._inspecting = asyncio.Semaphore(1)

    async def run(self, name: str, work: Work, release_id: str) -> str:
        """The step's word.

        Raises:
            _Stopped: it refused, or broke for good.
        """

        async def attempt() -> dict[str, str]:
            answer = await _answer(name, work(self._desk, release_id))
            self._observer(f"{name}/unrecorded")
            return answer

        answer = await self._checkpoint(name, attempt)
        if "problem" in answer:
            raise _Stopped(ReleaseState(answer["state"]), answer["problem"])
        return answer["word"]

    async def inspect(self, desk: Desk, release_id: str) -> str:
        """As ``inspect_candidate``, one at a time."""
        async with self._inspecting:
            return await inspect_candidate(desk, release_id)

    async def approve(self, order: dict[str, Any]) -> dict[str, Any] | None:
        """None when the approval is signed, else why not."""

        async def attempt() -> dict[str, Any] | None:
            refusal = None
            try:
                await sign_approval(self._desk, msgspec.convert(order, ApprovalOrder))
            except StorageError:
                raise
            except WeighbridgeError as error:
                refusal = error_answer(error)
            self._observer("approval/unrecorded")
            return refusal

        return await self._checkpoint("approval", attempt)

    async def stop(self, release_id: str, stopped: _Stopped) -> str:
        """The state in which the release ends, refused or failed; says why where the release is shown."""

        async def attempt() -> str:
            if stopped.state is ReleaseState.REFUSED:
                await sign_refusal(self._desk, release_id)
                await log_statements(self._desk, release_id)
            await _show_end(self._desk, release_id, stopped)
            return stopped.state.value

        try:
            return await self._checkpoint("stop", attempt)
        except WeighbridgeError:
            _log.exception("could not sign the refusal of release %s", release_id)

        async def just_say_so() -> str:
            await _show_end(self._desk, release_id, stopped)
            return stopped.state.value

        return await self._checkpoint("stop-plainly", just_say_so)

    async def _checkpoint(self, name: str, attempt: Callable[[], Awaitable[Any]]) -> Any:
        from dbos import DBOS
        from dbos import error as failures

        try:
            answer = await DBOS.run_step_async(
                {
                    "name": name,
                    "retries_allowed": True,
                    "max_attempts": ATTEMPTS,
                    "interval_seconds": 0.2,
                    "backoff_rate": 3.0,
                },
                attempt,
            )
        except failures.DBOSMaxStepRetriesExceeded as error:
            causes = "; ".join(dict.fromkeys(str(cause) for cause in error.errors))
            raise _Stopped(ReleaseState.FAILED, causes) from error
        except StorageError as error:
            # The same, taken from DBOS's tables after a restart: there it is but words.
            raise _Stopped(ReleaseState.FAILED, error.message) from error
        self._observer(name)
        return answer


async def _answer(name: str, work: Awaitable[str | None]) -> dict[str, str]:
    """What a step's work comes to. What may pass by itself is raised, for DBOS to try again."""
    try:
        return {"word": await work or ""}
    except (Conflict, StorageError):
        raise
    except Refused as error:
        return {"state": ReleaseState.REFUSED.value, "problem": error.message}
    except WeighbridgeError as error:
        return {"state": ReleaseState.FAILED.value, "problem": f"{error.message} {error.diagnostics()}".strip()}
    except Exception:
        _log.exception("step %s broke", name)
        raise


async def _show_end(desk: Desk, release_id: str, stopped: _Stopped) -> None:
    row = await read_row(desk.db, release_id)
    if row["state"] not in (ReleaseState.RUNNING, ReleaseState.WAITING):
        return
    problem, reasons = stopped.problem, []
    if not problem:
        problem, reasons = await _why_shut(desk, release_id)
    now_ms = desk.clock()
    async with desk.db.transaction() as tx:
        await stages.fail_open(tx, release_id, problem, reasons=reasons, now_ms=now_ms)
        await tx.run(
            QUERIES["set_release_state"], id=release_id, state=stopped.state.value, problem=problem, now_ms=now_ms
        )
        await append_event(
            tx, f"release:{'refuse' if stopped.state is ReleaseState.REFUSED else 'fail'}", repo_id=row["repo_id"],
            release_id=release_id, detail={"problem": problem}, now_ms=now_ms,
        )  # fmt: skip


async def _why_shut(desk: Desk, release_id: str) -> tuple[str, list[str]]:
    """Why the gate is shut, from what is kept of it: a reviewer's no, or rules that approvals cannot mend."""
    for row in await desk.db.all(QUERIES["approvals_of_release"], release_id=release_id):
        if row["verdict"] == "reject":
            return f"{row['name']} rejected it", [row["reason"]]
    stage = await desk.db.one(QUERIES["stage_of_release"], release_id=release_id, name=Stage.DECIDE.value)
    reasons: list[str] = msgspec.json.decode(stage["reasons"], type=list[str]) if stage else []
    return f"the policy says no: {'; '.join(reasons)}", reasons


def _unknown_workflow() -> type[Exception]:
    from dbos import error

    return error.DBOSNonExistentWorkflowError
