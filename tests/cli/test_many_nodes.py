"""Many nodes over one PostgreSQL and one bucket, and nothing else: what one node takes in, another gives out."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.test_main import call
from tests.cli.test_serve import until
from tests.conftest import StartHub
from tests.contracts.conftest import S3
from tests.running import RunningHub
from weighbridge.settings import child_environment, load_settings


@pytest.fixture
def shared(postgres_url: str, s3: S3) -> dict[str, object]:
    """Settings that every node has alike."""
    return {
        "public_url": "http://hub.example.test",
        "database_url": postgres_url,
        "s3_bucket": s3.bucket,
        "s3_prefix": "many-nodes",
        "s3_endpoint": s3.endpoint,
        "s3_access_key": s3.access_key,
        "s3_secret_key": s3.secret_key,
    }


@pytest.fixture
def worker(shared: dict[str, object], tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A worker with a folder of its own, as on a machine of its own."""
    settings = load_settings({**shared, "data": tmp_path / "worker"})
    environment = {**os.environ, **child_environment(settings)}
    command = [sys.executable, "-m", "weighbridge.cli.main", "worker", "--number", "3"]
    with (tmp_path / "worker.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    yield process
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0, (tmp_path / "worker.log").read_text()[-3000:]


def make_folder(folder: Path) -> Path:
    folder.mkdir()
    header = json.dumps({"w": {"dtype": "U8", "shape": [300_000], "data_offsets": [0, 300_000]}}).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + os.urandom(300_000))
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# Tiny\n")
    return folder


@pytest.mark.slow
def test_a_release_goes_in_at_one_node_and_out_at_the_others(
    start_hub: StartHub, shared: dict[str, object], worker: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    first = start_hub(role="api", wait_ready=False, **shared)
    second = start_hub(role="api", wait_ready=False, **shared)
    blobs = start_hub(role="blobs", wait_ready=False, **shared)
    nodes: list[RunningHub] = [first, second, blobs]
    try:
        until(lambda: all(node.get("/readyz").status == 200 for node in nodes))
        assert all(node.worker_pid is None for node in nodes)
        token = first.user("nora")
        assert second.get("/api/whoami-v2", token).json()["name"] == "nora"
        folder = make_folder(tmp_path / "tiny")
        env = {"HF_ENDPOINT": first.url, "HF_TOKEN": token}
        done = call("release", str(folder), "nora/tiny", "--weights", "public", "--json", env=env)
        assert done.returncode == 0, done.stderr
        weights = (folder / "model.safetensors").read_bytes()
        for node in nodes:
            assert node.get("/nora/tiny/resolve/main/model.safetensors").data == weights
            ranged = node.get("/nora/tiny/resolve/main/model.safetensors", headers={"Range": "bytes=100-70000"})
            assert (ranged.status, ranged.data) == (206, weights[100:70001])
        assert second.get("/api/models/nora/tiny").status == 200
        assert not list((first.data / "blobs").rglob("*")), "nothing is kept on a node"
    finally:
        # Before the worker and the database, which they need.
        problems = [problem for node in nodes if (problem := node.stop())]
    assert problems == []
