"""What a process can no longer do once it has isolated itself. Each attempt runs in a real process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

PRELUDE = """
import os, sys, socket, ctypes, threading, pickle
from weighbridge.sandbox.isolation import isolate
from weighbridge.sandbox.limits import Limits
measures = isolate(Limits(memory_bytes=512 << 20, cpu_s=5, open_files=16))
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
