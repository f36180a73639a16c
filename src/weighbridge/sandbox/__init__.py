"""Runs code over hostile bytes in a subprocess without network, with limits; the caller survives what happens there.

async with Cell("inspect", Limits(memory_bytes=2 << 30)) as cell:
    reply = await cell.ask(request, timeout_s=900, on_progress=print)
cell.isolation  # what was in force, for example ("user-namespace", "network-namespace", "audit-hook", "limits")
"""

from weighbridge.sandbox.cell import Cell, run_job
from weighbridge.sandbox.limits import JOBS, Limits

__all__ = ["JOBS", "Cell", "Limits", "run_job"]
