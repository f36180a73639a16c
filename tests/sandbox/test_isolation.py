"""What a process can no longer do once it has isolated itself. Each attempt runs in a real process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PRELUDE = """
import os, sys, socket, ctypes, threading, pickle
from weighbridge.sandbox.isolation import isolate
from weighbridge.sandbox.limits import Limits
isolation = isolate(Limits(memory_bytes=512 << 20, cpu_s=5, open_files=16))
measures = isolation.measures
"""


def attempt(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", "-B", "-c", PRELUDE + code], capture_output=True, text=True, timeout=60, check=False
    )


def test_says_which_measures_are_in_force():
    done = attempt("print(*measures)")
    assert done.returncode == 0, done.stderr
    assert {"audit-hook", "limits"} <= set(done.stdout.split())


@pytest.mark.parametrize(
    "code",
    [
        "socket.socket()",
        "socket.getaddrinfo('localhost', 80)",
        "os.system('true')",
        "os.fork()",
        "os.execv('/bin/true', ['true'])",
        "import subprocess; subprocess.run(['true'])",
        "open('/tmp/weighbridge-sandbox-test', 'w')",
        "os.open('/tmp/weighbridge-sandbox-test', os.O_RDWR | os.O_CREAT)",
        "os.remove('/tmp')",
        "os.kill(os.getppid(), 0)",
        "pickle.loads(b'cos\\nsystem\\n(S\"true\"\\ntR.')",
        "ctypes.CDLL('libc.so.6')",
    ],
)
def test_refuses(code: str):
    done = attempt(code)
    assert done.returncode == 1
    assert "PermissionError: the sandbox" in done.stderr


def test_reading_still_works():
    done = attempt("print(len(open('/etc/passwd').read()) > 0)")
    assert done.stdout == "True\n"


def test_memory_is_bounded():
    done = attempt("bytearray(1 << 30)")
    assert "MemoryError" in done.stderr


def test_processor_time_is_bounded():
    done = attempt("from weighbridge.sandbox.isolation import allow_cpu\nallow_cpu(Limits(cpu_s=0))\nwhile True: pass")
    assert done.returncode < 0


def test_open_files_are_bounded():
    done = attempt("kept = [open('/etc/passwd') for _ in range(64)]")
    assert "Too many open files" in done.stderr


def test_no_interface_is_up_in_its_own_network():
    done = attempt("print('network-namespace' in measures, open('/proc/self/net/dev').read().count(':'))")
    assert done.returncode == 0, done.stderr
    own, interfaces = done.stdout.split()
    # Where the kernel grants no namespace the measure must not be claimed; where it is claimed, only loopback is there.
    assert own == "False" or interfaces == "1"


def landlock_is_there() -> bool:
    return "landlock" in attempt("print(*measures)").stdout


def test_only_named_files_can_be_opened(tmp_path: Path):
    (tmp_path / "model").write_text("model")
    (tmp_path / "key").write_text("key")
    code = f"""
isolation.confine([{str(tmp_path / "model")!r}, {str(tmp_path / "absent")!r}])
print(open({str(tmp_path / "model")!r}).read())
for path in {[str(tmp_path / "key"), "/etc/passwd", "/proc/self/environ"]!r}:
    try:
        open(path).read()
        print("read", path)
    except PermissionError:
        pass
import colorsys  # Python's own library stays readable
os.listdir({str(tmp_path)!r})
"""
    done = attempt(code)
    if landlock_is_there():
        assert done.stdout == "model\n"
        assert "PermissionError" in done.stderr.splitlines()[-1]
    else:
        assert done.stdout.count("read") == 3


def test_of_very_many_files_the_folders_are_allowed(tmp_path: Path):
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / "1500").write_text("model")
    (tmp_path / "key").write_text("key")
    code = f"""
isolation.confine([{str(tmp_path / "blobs")!r} + "/" + str(at) for at in range(2000)])
print(open({str(tmp_path / "blobs" / "1500")!r}).read())
open({str(tmp_path / "key")!r})
"""
    done = attempt(code)
    assert done.stdout == "model\n"
    assert ("PermissionError" in done.stderr) == landlock_is_there()


def test_a_link_that_is_named_opens_nothing(tmp_path: Path):
    (tmp_path / "key").write_text("key")
    (tmp_path / "link").symlink_to(tmp_path / "key")
    done = attempt(f"isolation.confine([{str(tmp_path / 'link')!r}])\nopen({str(tmp_path / 'link')!r})")
    assert ("PermissionError" in done.stderr) == landlock_is_there()
