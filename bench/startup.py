"""Cold start of the command line and of a hub."""

from __future__ import annotations

from pathlib import Path

from bench.hub import WEIGHBRIDGE, BenchHub
from bench.measure import Row, absolute, run, seconds


def measure(work: Path, *, repeats: int) -> list[Row]:
    """`weighbridge --help`; `serve` on a new folder, until it answers and until its worker is there too."""
    helps = [seconds(lambda: run([*WEIGHBRIDGE, "--help"])) for _ in range(max(5, repeats))]
    healthy: list[float] = []
    ready: list[float] = []
    for turn in range(repeats):
        hub = BenchHub(work / f"start-{turn}")
        try:
            first, second = hub.start()
        finally:
            hub.stop()
        healthy.append(first)
        ready.append(second)
    return [
        absolute("weighbridge --help", "s", helps, at_most=0.3),
        absolute("serve on a new folder, until /healthz", "s", healthy, at_most=2),
        absolute("serve on a new folder, until /readyz (worker, keys, log)", "s", ready, at_most=2),
    ]
