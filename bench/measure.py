"""Time, processor time, and the rows that they become."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One measured thing. ``ours`` and ``peer`` are medians in ``unit``; ``best`` ones are the least of the repeats.

    ``value`` is what the aim speaks of (a ratio, or a number in the unit of the aim); ``met`` is None without an aim.
    """

    what: str
    unit: str
    ours: float
    ours_best: float
    peer_name: str = ""
    peer: float | None = None
    peer_best: float | None = None
    value: float
    value_name: str
    aim: str = ""
    met: bool | None = None


def compared(
    what: str, unit: str, ours: Sequence[float], peer_name: str, peer: Sequence[float], *, at_most: float
) -> Row:
    """A row whose aim is a ratio of medians, ours over the peer's, where less is better."""
    ratio = statistics.median(ours) / statistics.median(peer)
    return Row(
        what=what,
        unit=unit,
        ours=statistics.median(ours),
        ours_best=min(ours),
        peer_name=peer_name,
        peer=statistics.median(peer),
        peer_best=min(peer),
        value=ratio,
        value_name="times the peer",
        aim=f"≤ {at_most:g}",
        met=ratio <= at_most,
    )


def absolute(what: str, unit: str, ours: Sequence[float], *, at_most: float | None = None) -> Row:
    """A row whose aim is a number in its own unit; without ``at_most`` it is only told."""
    median = statistics.median(ours)
    return Row(
        what=what,
        unit=unit,
        ours=median,
        ours_best=min(ours),
        value=median,
        value_name=unit,
        aim="" if at_most is None else f"≤ {at_most:g} {unit}",
        met=None if at_most is None else median <= at_most,
    )


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def cpu_seconds(pid: int) -> float:
    """Processor time that a process and its direct children that live have used so far, user and system."""
    return sum(_own_cpu_seconds(one) for one in (pid, *_children(pid)))


def run(command: Sequence[str | Path], *, env: dict[str, str] | None = None, ok: Sequence[int] = (0,)) -> str:
    """Standard output of a command that must succeed."""
    found = subprocess.run([str(word) for word in command], env=env, capture_output=True, text=True)
    if found.returncode not in ok:
        said = (found.stdout + found.stderr)[-3000:]
        raise RuntimeError(f"{' '.join(map(str, command))} ended with {found.returncode}:\n{said}")
    return found.stdout


def _own_cpu_seconds(pid: int) -> float:
    # schedstat counts nanoseconds; stat counts ticks of ten milliseconds.
    try:
        return sum(int(path.read_text().split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9
    except (OSError, ValueError, IndexError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _children(pid: int) -> list[int]:
    return [int(one) for path in Path(f"/proc/{pid}/task").glob("*/children") for one in path.read_text().split()]
