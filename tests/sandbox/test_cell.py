"""The caller survives whatever the process inside does: each hostile one here is a real process."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

import pytest

from weighbridge.errors import SandboxError
from weighbridge.sandbox import Cell, Limits, run_job
from weighbridge.sandbox.frames import Kind, pack

_FRAME = pack(Kind.HELLO, b'{"isolation": []}')
HELLO = f"import os, sys, time\nsys.stdout.buffer.raw.write({_FRAME!r})\n"
READ = "sys.stdin.buffer.raw.read(5)\n"


class HostileCell(Cell):
    """A cell whose process runs a script of the test's instead of our child."""

    script = ""

    def _command(self) -> list[str]:
        return [sys.executable, "-I", "-c", self.script]


def hostile(script: str) -> HostileCell:
    cell = HostileCell("cel")
    cell.script = script
    return cell


def test_refuses_a_job_that_is_not_listed():
    with pytest.raises(ValueError, match="no such job"):
        Cell("os:system")


async def test_answers_and_says_its_isolation():
    reply, isolation = await run_job("cel", b'{"require": "1 < 2", "facts": {}}', timeout_s=60)
    assert b'"value":true' in reply
    assert "limits" in isolation


async def test_the_environment_is_not_inherited(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    script = """
body = str(dict(os.environ)).encode()
sys.stdout.buffer.raw.write((len(body) + 1).to_bytes(4, "big") + b"r" + body)
time.sleep(60)
"""
    async with hostile(HELLO + READ + script) as cell:
        reply = await cell.ask(b"{}", timeout_s=30)
    assert b"secret" not in reply


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("", "exited with status 0"),
        ("import os; os.abort()", "SIGABRT"),
        ("import sys; sys.stdout.write('Traceback: not a frame at all')", "bytes announced"),
        ("import sys; sys.stdout.buffer.write(b'\\0\\0\\0\\2rx')", "unexpected frame 'r'"),
        ("import sys; sys.stdout.buffer.write(b'\\0\\0\\0\\3h{}')", "could not read"),
        ("import sys; sys.stdout.buffer.write(b'\\0\\0\\0\\xffh{}')", "exited"),
    ],
)
async def test_a_process_that_does_not_start(script: str, reason: str):
    with pytest.raises(SandboxError, match=reason):
        await hostile(script).start()


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("os.kill(os.getpid(), 11)", "SIGSEGV"),
        ("sys.exit(3)", "exited with status 3"),
        ("sys.stdout.buffer.raw.write(b'\\xff\\xff\\xff\\xffr')", "bytes announced"),
        ("sys.stdout.buffer.raw.write(b'\\0\\0\\0\\0r'); time.sleep(60)", "bytes announced"),
        ("sys.stdout.buffer.raw.write(b'\\0\\0\\0\\3z{}'); time.sleep(60)", "unexpected frame"),
        ("sys.stdout.buffer.raw.write(b'\\0\\0\\0\\3e{}'); time.sleep(60)", "could not read"),
        ("sys.stdout.buffer.raw.write(b'\\0\\0\\0\\3p{}'); time.sleep(60)", "could not read"),
        ("os.close(1); time.sleep(60)", "closed its output"),
    ],
)
async def test_a_process_that_does_not_behave(script: str, reason: str):
    cell = hostile(HELLO + READ + script)
    await cell.start()
    with pytest.raises(SandboxError, match=reason):
        await cell.ask(b"{}", timeout_s=30)
    assert not cell.alive


async def test_a_process_that_hangs_is_ended_with_its_children(tmp_path):
    child_file = tmp_path / "child"
    script = f"""
import subprocess
child = subprocess.Popen(["sleep", "600"])
open({str(child_file)!r}, "w").write(str(child.pid))
time.sleep(600)
"""
    cell = hostile(HELLO + script)
    await cell.start()
    with pytest.raises(SandboxError, match="no answer in 1 s"):
        await cell.ask(b"{}", timeout_s=1)
    assert_gone(int(child_file.read_text()))


async def test_a_process_that_floods_progress_is_ended_by_the_timeout():
    flood = pack(Kind.PROGRESS, b'{"done": 1}') * 1000
    cell = hostile(HELLO + f"while True: sys.stdout.buffer.raw.write({flood!r})")
    await cell.start()
    with pytest.raises(SandboxError, match="no answer"):
        await cell.ask(b"{}", timeout_s=1)


async def test_a_process_whose_output_nobody_reads_any_more_is_ended():
    cell = hostile(HELLO + "while True: sys.stdout.buffer.raw.write(bytes(1 << 16))")
    await cell.start()
    process = cell._process
    while not process.stdout._paused:  # the reader has had enough: asyncio stops reading the pipe
        await asyncio.sleep(0.01)
    async with asyncio.timeout(30):
        await cell.end()
    assert_gone(process.pid)


async def test_cancelling_the_caller_ends_the_process():
    cell = hostile(HELLO + "time.sleep(600)")
    await cell.start()
    pid = cell._process.pid
    asking = asyncio.create_task(cell.ask(b"{}", timeout_s=600))
    await asyncio.sleep(0.1)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert_gone(pid)


async def test_an_error_of_the_job_is_told():
    with pytest.raises(SandboxError, match="JSON is malformed"):
        await run_job("cel", b"nonsense", timeout_s=60)


async def test_a_request_past_its_bound_is_not_sent():
    async with Cell("cel") as cell:
        with pytest.raises(SandboxError, match="at most"):
            await cell.ask(b" " * ((64 << 20) + 1), timeout_s=60)


async def test_too_little_memory_is_an_error_not_a_hang():
    with pytest.raises(SandboxError):
        await run_job("inspect", b"[]", limits=Limits(memory_bytes=1 << 20), timeout_s=60)


def assert_gone(pid: int) -> None:
    """Waits for the process to be gone, or to be nothing but a zombie that its new parent will reap."""
    for _ in range(200):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return
        if state == "Z":
            return
        time.sleep(0.05)
    os.kill(pid, 9)
    pytest.fail(f"process {pid} lives on")
