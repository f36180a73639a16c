"""Runs `weighbridge` as its users do, against a hub of the test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.release.making import model
from tests.running import RunningHub


@dataclass
class Ran:
    """How one command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Person:
    """Somebody with a token, a home of their own and a hub."""

    hub: RunningHub
    token: str
    home: Path
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def env(self) -> dict[str, str]:
        clean = {key: value for key, value in os.environ.items() if not key.startswith(("WEIGHBRIDGE_", "HF_"))}
        return {
            **clean, "HF_TOKEN": self.token, "HF_ENDPOINT": self.hub.url, "HOME": str(self.home),
            "XDG_CACHE_HOME": str(self.home / "cache"), **self.extra,
        }  # fmt: skip

    def run(self, *words: str | Path) -> Ran:
        command = [sys.executable, "-m", "weighbridge.cli.main", *map(str, words)]
        ran = subprocess.run(command, env=self.env, capture_output=True, text=True, timeout=120)
        return Ran(ran.returncode, ran.stdout, ran.stderr)


def write_model(folder: Path, values: bytes = bytes(64)) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for path, content in model(values).items():
        (folder / path).write_bytes(content)
    return folder
