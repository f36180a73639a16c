"""What a cell takes from itself before it reads anything from outside. Runs inside the child only.

Each measure that the kernel grants is named in the answer, so that an inspection says honestly what was in force:

* ``user-namespace``, ``network-namespace``: unshare(2); no interface but a loopback that is down, no capability.
* ``audit-hook``: Python's own calls to sockets, processes, writing files and unpickling raise; it cannot be taken off.
  It is no barrier to machine code, hence second to the namespaces.
* ``landlock``: no file can be opened but those of the request, see ``landlock.py``.
* ``limits``: setrlimit(2).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
from collections.abc import Iterable

import msgspec

from weighbridge.sandbox.landlock import Landlock
from weighbridge.sandbox.limits import Limits

_CLONE_NEWIPC = 0x08000000
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_DENIED_EVENTS = frozenset(
    {
        "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty", "os.kill", "os.killpg", "os.putenv",
        "os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "os.chmod",
        "os.chown",
        "subprocess.Popen", "pty.spawn", "webbrowser.open", "pickle.find_class", "ctypes.dlopen", "ctypes.dlsym",
        "ctypes.call_function", "mmap.__new__", "urllib.Request", "syslog.syslog",
    }
)  # fmt: skip
_DENIED_PREFIXES = ("socket.", "shutil.", "ftplib.", "smtplib.", "http.client.", "sqlite3.")


class Isolation(msgspec.Struct, frozen=True):
    """What is in force, and what ``confine`` needs later."""

    measures: tuple[str, ...]
    landlock: Landlock

    def confine(self, files: Iterable[str]) -> None:
        """Gives up opening every file but these. Does nothing where ``landlock`` is not among the measures.

        Raises:
            OSError: it is among them, and the kernel refused.
        """
        if self.landlock.version:
            self.landlock.confine(files)


def isolate(limits: Limits) -> Isolation:
    """Gives up network, processes and writing; once the files are known, ``confine`` gives up all others."""
    measures = [*_leave_namespaces(), "limits", "audit-hook"]
    landlock = Landlock()
    if landlock.version:
        measures.append("landlock")
    _set_limits(limits)
    sys.addaudithook(_refuse)
    return Isolation(tuple(sorted(measures)), landlock)


def allow_cpu(limits: Limits) -> None:
    """Grants the next request its CPU time; past it the kernel ends the process (SIGXCPU)."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = int(usage.ru_utime + usage.ru_stime) + 1 + limits.cpu_s
    if hard != resource.RLIM_INFINITY:
        soft = min(soft, hard)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def _leave_namespaces() -> list[str]:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if not hasattr(libc, "unshare"):
        return []
    if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET | _CLONE_NEWIPC) == 0:
        return ["user-namespace", "network-namespace"]
    if libc.unshare(_CLONE_NEWNET) == 0:  # root where user namespaces are switched off
        return ["network-namespace"]
    return []


def _set_limits(limits: Limits) -> None:
    bounds = {
        resource.RLIMIT_AS: limits.memory_bytes,
        resource.RLIMIT_NOFILE: limits.open_files,
        resource.RLIMIT_NPROC: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }
    for which, bound in bounds.items():
        _, hard = resource.getrlimit(which)
        value = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
        with contextlib.suppress(OSError, ValueError):  # a stricter bound is in force already
            resource.setrlimit(which, (value, value))


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open":
        flags = arguments[2] if len(arguments) > 2 else 0
        if isinstance(flags, int) and flags & _WRITING:
            raise PermissionError("the sandbox writes no files")
    elif event in _DENIED_EVENTS or event.startswith(_DENIED_PREFIXES):
        raise PermissionError(f"the sandbox refuses {event}")
