"""What a sandboxed process may use, and which modules it may run."""

from __future__ import annotations

import msgspec

# By name, because the sandbox lies below the rooms whose modules it runs. What is not here cannot be run. A module has
# `run(request, report) -> reply` and `readable(request) -> files`: no other file can be opened while it runs.
JOBS = {
    "inspect": "weighbridge.inspection.job",
    "cel": "weighbridge.policy.condition_job",
}

MAX_REQUEST_BYTES = 64 << 20
MAX_REPLY_BYTES = 32 << 20


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of one sandboxed process; the kernel enforces them (setrlimit(2))."""

    memory_bytes: int = 2 << 30  # address space, so it bounds mappings and allocations alike
    cpu_s: int = 900  # CPU time of one request
    open_files: int = 64
