"""The process inside: ``python -I -m weighbridge.sandbox.child JOB LIMITS``. Answers requests until its input ends.

It isolates itself first, then imports the job's function by its name in the allow-list, and only then reads a request.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from typing import BinaryIO

import msgspec

from weighbridge.errors import WeighbridgeError
from weighbridge.sandbox.frames import Kind, pack, read_request
from weighbridge.sandbox.isolation import allow_cpu, isolate
from weighbridge.sandbox.limits import JOBS, MAX_REQUEST_BYTES, Limits

Job = Callable[[bytes, Callable[[int], None]], bytes]


def main(arguments: list[str]) -> int:
    """Serves requests of one job; answers the exit status."""
    job_name, limits_text = arguments
    limits = msgspec.json.decode(limits_text, type=Limits)
    replies = _take_stdout()
    isolation = isolate(limits)
    try:
        job, readable = _load_job(job_name)
    except Exception as error:  # noqa: BLE001 - told to the caller, who raises it
        _send(replies, Kind.ERROR, msgspec.json.encode({"message": f"could not start: {_describe(error)}"}))
        return 1
    _send(replies, Kind.HELLO, msgspec.json.encode({"isolation": isolation.measures}))
    confined = False
    while (request := read_request(sys.stdin.buffer, max_bytes=MAX_REQUEST_BYTES)) is not None:
        allow_cpu(limits)
        try:
            if not confined:  # for good: what the first request does not name, no later one can read
                isolation.confine(readable(request))
                confined = True
            reply = job(request, lambda done: _send(replies, Kind.PROGRESS, msgspec.json.encode({"done": done})))
        except Exception as error:  # noqa: BLE001 - every failure is the caller's to judge
            _send(replies, Kind.ERROR, msgspec.json.encode({"message": _describe(error)}))
            continue
        _send(replies, Kind.RESULT, reply)
    return 0


def _take_stdout() -> BinaryIO:
    """The stream to the caller; what anything else prints from now on goes nowhere."""
    replies = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    return replies


def _load_job(name: str) -> tuple[Job, Callable[[bytes], list[str]]]:
    """The module's ``run``, and its ``readable``, which names the files that a request is about."""
    module = importlib.import_module(JOBS[name])
    return module.run, module.readable


def _send(replies: BinaryIO, kind: Kind, body: bytes) -> None:
    replies.write(pack(kind, body))
    replies.flush()


def _describe(error: Exception) -> str:
    if isinstance(error, WeighbridgeError):
        return error.message
    if isinstance(error, MemoryError):
        return "out of memory (the limit of the sandbox)"
    return f"{type(error).__name__}: {str(error)[:500]}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
