"""``weighbridge verify`` of a downloaded folder against ``openssl dgst -sha256`` of its files."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote

import urllib3

from bench.hub import REPO, WEIGHBRIDGE, BenchHub
from bench.measure import Row, compared, run, seconds


def measure(hub: BenchHub, work: Path, *, repeats: int) -> list[Row]:
    """Wall time of both, over the same files, start of the program included."""
    folder = work / "downloaded"
    download(hub, folder)
    trust = work / "trust.json"
    trust.write_bytes(urllib3.request("GET", f"{hub.url}/.well-known/weighbridge/trust_config.json").data)
    files = [path for path in folder.rglob("*") if path.is_file()]
    ours: list[float] = []
    peer: list[float] = []
    env = hub.environment(work / "config")
    for turn in range(repeats + 1):
        command = [*WEIGHBRIDGE, "verify", str(folder), "--trust", str(trust), "--json"]
        took = seconds(lambda command=command: run(command, env=env))
        hashed = seconds(lambda: run(["openssl", "dgst", "-sha256", *files]))
        if turn:
            ours.append(took)
            peer.append(hashed)
    return [compared("verify of a downloaded release", "s", ours, "openssl dgst -sha256", peer, at_most=1.2)]


def download(hub: BenchHub, folder: Path) -> None:
    """Every file of the release, as an anonymous reader gets it."""
    answer = urllib3.request("GET", f"{hub.url}/api/models/{REPO}/tree/main?recursive=true&limit=1000")
    if answer.status != 200:
        raise RuntimeError(f"the hub answered {answer.status}: {answer.data[:300]!r}")
    for entry in json.loads(answer.data):
        if entry["type"] != "file":
            continue
        target = folder / entry["path"]
        target.parent.mkdir(parents=True, exist_ok=True)
        run(["curl", "-sSf", "-o", target, f"{hub.url}/{REPO}/resolve/main/{quote(entry['path'])}"])
