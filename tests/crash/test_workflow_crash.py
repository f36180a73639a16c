"""A release whose worker is killed after every step, written down or not yet, ends as if it were not."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.release.making import person, put, repo_of
from weighbridge.bootstrap import Hub
from weighbridge.release.case import read_case
from weighbridge.release.queue import ReleaseQueue, queue_url
from weighbridge.release.requests import request_approval
from weighbridge.release.withdrawal import withdraw

STEPS = ("receive", "inspect", "document", "decide", "sign", "log", "publish", "effect")
ROOT = Path(__file__).parents[2]


def start(hub: Hub, step: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.crash.drive_worker", str(hub.settings.data), step]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


async def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    output, _ = await asyncio.to_thread(process.communicate, None, 120)
    return process.returncode, output


async def killed_at(hub: Hub, step: str) -> None:
    code, output = await finish(start(hub, step))
    assert code == -signal.SIGKILL, output
    assert f"step {step}\n" in output


async def run_to_the_end(hub: Hub) -> None:
    code, output = await finish(start(hub, "-"))
    assert code == 0 and "timeout" not in output, output


async def number(hub: Hub, sql: str) -> int:
    row = await hub.db.one(f"SELECT COUNT(*) AS n FROM {sql}")
    assert row is not None
    return row["n"]


async def check_released_once(hub: Hub, kinds: set[str], approvals: int = 0) -> None:
    row = await hub.db.one("SELECT * FROM release")
    assert row is not None and (row["state"], row["problem"]) == ("released", "")
    assert await number(hub, "git_commit WHERE kind = 'release'") == 1
    assert await number(hub, "git_ref WHERE name LIKE 'refs/releases/%'") == 1
    assert await number(hub, "dial_change") == 1
    assert await number(hub, "event WHERE action = 'release:open'") == 1
    assert await number(hub, "event WHERE action = 'release:decide'") == 1
    statements = await hub.db.all("SELECT kind, dedup_key FROM statement ORDER BY dedup_key")
    assert {one["kind"] for one in statements} == kinds
    assert len(statements) == len(kinds) + max(0, 2 * (approvals - 1))
    entries = await hub.db.all("SELECT dedup_key FROM log_entry ORDER BY dedup_key")
    assert [one["dedup_key"] for one in entries] == [one["dedup_key"] for one in statements]
    stages = await hub.db.all("SELECT name, state FROM stage ORDER BY position")
    assert [stage["state"] for stage in stages] == ["passed"] * 8


PLAIN = {"inspection", "documents", "decision", "intent", "effect"}


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["", "/unrecorded"])
async def test_killed_after_every_step_it_ends_released_once(hub: Hub, moment: str) -> None:
    author = await person(hub, "alice")
    await put(hub, await repo_of(hub, author), author)
    for step in STEPS:
        await killed_at(hub, step + moment)
    await run_to_the_end(hub)
    await check_released_once(hub, PLAIN)


@pytest.mark.slow
async def test_approvals_survive_a_kill_of_the_worker_that_signs_them(hub: Hub) -> None:
    author = await person(hub, "alice")
    reviewers = [await person(hub, name, reviewer=True) for name in ("bob", "carol")]
    repo = await repo_of(hub, author)
    row = (await put(hub, repo, author, policy="responsible")).row
    queue = ReleaseQueue(queue_url(None, hub.settings.workflows_path))
    try:
        for reader, step in zip(reviewers, ("approval/unrecorded", "approval"), strict=True):
            process = start(hub, step)
            asking = asyncio.create_task(
                request_approval(
                    hub.db,
                    queue,
                    row,
                    reader,
                    digest=row["digest"],
                    weights="public",
                    inference="public",
                    verdict="approve",
                    reason="looks right",
                )
            )
            code, output = await finish(process)
            assert code == -signal.SIGKILL, output
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
    finally:
        await queue.close()
    await run_to_the_end(hub)
    await check_released_once(hub, PLAIN | {"account-key", "approval"}, approvals=2)


@pytest.mark.slow
async def test_a_withdrawal_is_signed_by_the_next_worker(hub: Hub) -> None:
    author = await person(hub, "alice")
    row = (await put(hub, await repo_of(hub, author), author)).row
    await run_to_the_end(hub)
    case = await read_case(hub.db, row["id"])
    await withdraw(hub.db, case, actor=author.require_account(), reason="wrong data", now_ms=hub.clock())
    await killed_at(hub, "withdraw/unrecorded")
    await run_to_the_end(hub)
    assert await number(hub, "statement WHERE kind = 'withdrawal'") == 1
    assert await number(hub, "log_entry") == len(PLAIN) + 1
    assert await number(hub, "withdrawal WHERE statement_id IS NOT NULL") == 1
