"""Download of one large file, whole and by ranges, against nginx with sendfile; the client is curl for both."""

from __future__ import annotations

from pathlib import Path

from bench import nginx
from bench.hub import REPO, BenchHub
from bench.measure import Row, absolute, compared, cpu_seconds, run, seconds

RANGE_BYTES = 16 << 20
GIB = 1 << 30


def measure(hub: BenchHub, weights: Path, work: Path, *, repeats: int) -> list[Row]:
    """Throughput ratio and processor time a GiB, for whole files, ranges one by one, and eight at a time."""
    size = weights.stat().st_size
    blob = hub.blob(size)
    root = work / "nginx-root"
    root.mkdir(exist_ok=True)
    (root / "f").hardlink_to(blob)
    ours_url = f"{hub.url}/{REPO}/resolve/main/model.safetensors"
    with nginx.serving(root, work / "nginx") as (url, peer_pid):
        plans: dict[str, tuple[list[Path], int]] = {
            "whole": ([], 1),
            "by ranges of 16 MiB": (_ranges(work, size, ours_url, f"{url}/f"), 1),
            "by ranges, 8 at a time": (_ranges(work, size, ours_url, f"{url}/f"), 8),
        }
        rows: list[Row] = []
        for name, (configs, parallel) in plans.items():
            ours = _command(ours_url, configs[0] if configs else None, parallel)
            peer = _command(f"{url}/f", configs[1] if configs else None, parallel)
            rows += _rows(name, ours, hub.pid, peer, peer_pid, size=size, repeats=repeats)
    (root / "f").unlink()
    return rows


def _rows(
    name: str, ours: list[str], our_pid: int, peer: list[str], peer_pid: int, *, size: int, repeats: int
) -> list[Row]:
    times: dict[str, list[float]] = {"ours": [], "peer": []}
    cpus: dict[str, list[float]] = {"ours": [], "peer": []}
    for turn in range(repeats + 1):
        for who, command, pid in (("ours", ours, our_pid), ("peer", peer, peer_pid)):
            before = cpu_seconds(pid)
            took = seconds(lambda command=command: run(command))
            used = cpu_seconds(pid) - before
            if turn:  # the first turn warms the page cache
                times[who].append(took * GIB / size)
                cpus[who].append(used * GIB / size)
    # The aim is 0.8 of nginx's throughput: 1 / 0.8 of its time.
    return [
        compared(f"download, {name}", "s/GiB", times["ours"], "nginx sendfile", times["peer"], at_most=1.25),
        absolute(f"server CPU, {name}", "s/GiB", cpus["ours"], at_most=0.3),
        absolute(f"nginx CPU, {name}", "s/GiB", cpus["peer"]),
    ]


def _command(url: str, config: Path | None, parallel: int) -> list[str]:
    if config is None:
        return ["curl", "-sSf", "-o", "/dev/null", url]
    many = ["--parallel", "--parallel-immediate", "--parallel-max", str(parallel)] if parallel > 1 else []
    return ["curl", "-sSf", *many, "-K", str(config)]


def _ranges(work: Path, size: int, *urls: str) -> list[Path]:
    """curl's file of requests for each URL, one for each range."""
    found: list[Path] = []
    for number, url in enumerate(urls):
        lines: list[str] = []
        for start in range(0, size, RANGE_BYTES):
            end = min(start + RANGE_BYTES, size) - 1
            lines.append(f'url = "{url}"\nrange = "{start}-{end}"\noutput = "/dev/null"\nfail\nsilent\nshow-error\n')
        path = work / f"ranges-{number}.curl"
        path.write_text("next\n".join(lines))
        found.append(path)
    return found
