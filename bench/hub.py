"""A hub of our own for the measurements, and the model that is released into it."""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
import struct
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import urllib3

WEIGHBRIDGE = [sys.executable, "-m", "weighbridge.cli.main"]
REPO = "bench/model"
START_TIMEOUT_S = 60


class BenchHub:
    """`weighbridge serve` on a folder; ``pid`` is its web process."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.token = "bench-" + secrets.token_hex(16)
        self.url = ""
        self.pid = 0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> tuple[float, float]:
        """Starts it; gives the seconds until `/healthz` and until `/readyz` first said 200."""
        env = {**os.environ, "WEIGHBRIDGE_ADMIN_TOKEN": self.token}
        command = [*WEIGHBRIDGE, "serve", "--data", str(self.data), "--port", "0", "--json"]
        started = time.perf_counter()
        with (self.data.parent / f"{self.data.name}.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log
            )
        assert self._process.stdout is not None
        said = json.loads(self._process.stdout.readline() or b"{}")
        if "url" not in said:
            raise RuntimeError(f"serve did not start: {said}; see {self.data}.log")
        self.url, self.pid = said["url"], self._process.pid
        healthy = self._wait("/healthz", started)
        return healthy, self._wait("/readyz", started)

    def stop(self) -> None:
        """Stops it."""
        if self._process is not None:
            self._process.terminate()
            self._process.communicate(timeout=60)
            self._process = None

    def environment(self, home: Path) -> dict[str, str]:
        """The environment of a client of this hub, with settings and trust files of its own."""
        return {**os.environ, "HF_ENDPOINT": self.url, "HF_TOKEN": self.token, "XDG_CONFIG_HOME": str(home)}

    def blob(self, size_bytes: int) -> Path:
        """The stored file of that size."""
        return next(
            path for path in (self.data / "blobs").rglob("*") if path.is_file() and path.stat().st_size == size_bytes
        )

    def put_forward_at(self, number: int, repo: str) -> float:
        """When the hub had every byte and accepted a release, in seconds since 1970 (its API tells whole ones)."""
        text = (
            "SELECT r.created_ms FROM release r JOIN repo p ON p.id = r.repo_id"
            " WHERE r.number = ? AND p.namespace || '/' || p.name = ?"
        )
        with closing(sqlite3.connect(self.data / "metadata.sqlite")) as connection:
            return connection.execute(text, (number, repo)).fetchone()[0] / 1000

    def _wait(self, path: str, started: float) -> float:
        while time.perf_counter() - started < START_TIMEOUT_S:
            try:
                if urllib3.request("GET", self.url + path, retries=False, timeout=5).status == 200:
                    return time.perf_counter() - started
            except urllib3.exceptions.HTTPError:
                pass
            time.sleep(0.005)
        raise RuntimeError(f"{path} was not ready in {START_TIMEOUT_S} s; see {self.data}.log")


def make_model(folder: Path, size_bytes: int) -> Path:
    """A checkpoint folder whose one safetensors file has about ``size_bytes`` of noise; gives that file."""
    folder.mkdir(parents=True)
    tensor = {"dtype": "U8", "shape": [size_bytes], "data_offsets": [0, size_bytes]}
    header = json.dumps({"__metadata__": {"format": "pt"}, "noise": tensor}).encode()
    header += b" " * (-len(header) % 8)
    weights = folder / "model.safetensors"
    with weights.open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        for _ in range(size_bytes >> 20):
            file.write(os.urandom(1 << 20))
        file.write(os.urandom(size_bytes & ((1 << 20) - 1)))
    (folder / "config.json").write_text('{"architectures": ["LlamaForCausalLM"], "model_type": "llama"}\n')
    (folder / "README.md").write_text("---\nlicense: apache-2.0\npipeline_tag: text-generation\n---\n# Noise\n")
    return weights
