"""``weighbridge release`` of a large file against ``cp`` and ``openssl dgst -sha256`` of it."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

from bench.hub import WEIGHBRIDGE, BenchHub, make_model
from bench.measure import Row, absolute, compared, cpu_seconds, run, seconds


def measure(hub: BenchHub, folder: Path, work: Path, *, repeats: int) -> list[Row]:
    """Time until the hub has all bytes, verified and durable; the whole release; the peer.

    Bytes that a writer sent before need not be sent again, so each repeat releases another file.
    """
    sent: list[float] = []
    whole: list[float] = []
    server: list[float] = []
    peer: list[float] = []
    size = (folder / "model.safetensors").stat().st_size
    for turn in range(repeats):
        folder_now = folder if turn == 0 else make_again(work / f"again-{turn}", size)
        peer.append(seconds(lambda folder_now=folder_now: _copy_and_hash(folder_now / "model.safetensors", work)))
        before, started = cpu_seconds(hub.pid), time.time()
        found = release(hub, folder_now, f"bench/model{'' if turn == 0 else turn}", work)
        whole.append(time.time() - started)
        server.append(cpu_seconds(hub.pid) - before)
        sent.append(hub.put_forward_at(found["number"], found["repo"]) - started)
        if turn:
            shutil.rmtree(folder_now)
    gib = size / (1 << 30)
    return [
        compared("upload by weighbridge release", "s", sent, "cp + openssl dgst", peer, at_most=1.5),
        absolute("the whole release, inspected, signed, logged, public", "s", whole),
        absolute("upload: CPU of serve and its worker", "s/GiB", [used / gib for used in server]),
    ]


def release(hub: BenchHub, folder: Path, repo: str, work: Path) -> dict[str, Any]:
    """The release, as its command tells it.

    Raises:
        RuntimeError: it did not become public.
    """
    command = [*WEIGHBRIDGE, "release", str(folder), repo, "--weights", "public", "--json", "--no-document"]
    found = json.loads(run(command, env=hub.environment(work / "config")))
    if found["state"] != "released":
        raise RuntimeError(f"the release is {found['state']}: {found.get('problem')}")
    return found


def make_again(folder: Path, size: int) -> Path:
    """A folder with another model of the same size."""
    make_model(folder, size)
    return folder


def _copy_and_hash(weights: Path, work: Path) -> None:
    copy = work / "copy"
    run(["cp", weights, copy])
    run(["openssl", "dgst", "-sha256", copy])
    os.unlink(copy)  # noqa: PTH108 - one system call, inside what is timed
