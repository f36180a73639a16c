"""A running hub with things to read, and the Hugging Face clients pointed at it, as anybody installs them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import HfApi, constants

from tests.http.seed import Seed, model_files
from tests.running import RunningHub
from weighbridge.accounts import find_account
from weighbridge.bootstrap import Hub

BIG = bytes(range(256)) * (12 << 12)
"""12 MiB: over what clients take for small."""


@dataclass
class Library:
    """What was put into the hub: names, commits and files, to be compared with what clients get."""

    url: str
    tokens: dict[str, str]
    commits: dict[str, str] = field(default_factory=dict)
    files: dict[str, dict[str, bytes]] = field(default_factory=dict)

    def api(self, who: str | None = None) -> HfApi:
        return HfApi(endpoint=self.url, token=self.tokens[who] if who else False)


@pytest.fixture(scope="session")
def library(running_hub: RunningHub) -> Library:
    tokens = {name: running_hub.user(name, scopes="read write") for name in ("libby", "guest")}
    made = Library(url=running_hub.url, tokens=tokens)

    async def fill(hub: Hub) -> None:
        seed = Seed(hub, tokens=dict(tokens))
        for name in tokens:
            account = await find_account(hub.db, name)
            assert account
            seed.accounts[name] = account
        big = {**model_files(), "model.safetensors": BIG}
        for name, kind, files, gated, weights, inference in (
            ("open", "model", big, "false", "public", ""),
            ("gated", "model", model_files(), "manual", "gated", ""),
            ("card", "model", model_files(), "false", "internal", "public"),
            ("secret", "model", model_files(), "false", "internal", ""),
            ("gone", "model", model_files(), "false", "public", ""),
            ("rows", "dataset", {"README.md": b"# Rows\n", "data/train.csv": b"a,b\n1,2\n"}, "false", "public", ""),
        ):
            repo = await seed.repo(f"libby/{name}", by="libby", repo_type=kind, gated=gated)
            candidate = await seed.commit(repo, files, by="libby")
            release = await seed.release(repo, candidate, by="libby", weights=weights, inference=inference)
            made.commits[name] = release.oid
            made.files[name] = {**files, "model.sig": b"{}", ".release/SHA256SUMS": b"sums of 1\n"}
            if name == "gone":
                await seed.withdraw(repo, 1, by="libby")

    running_hub.inside(fill)
    return made


@pytest.fixture(autouse=True)
def client_settings(library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What HF_ENDPOINT and HF_HOME would set, had the library not been imported already; no state between tests."""
    monkeypatch.setattr(constants, "ENDPOINT", library.url)
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace("https://huggingface.co", library.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    yield
    huggingface_hub.close_session()


@dataclass
class HfCommand:
    """The ``hf`` command of the environment, in a home of its own."""

    library: Library
    home: Path

    def __call__(self, *arguments: str, who: str | None = "libby", code: int = 0) -> str:
        env = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING", "WEIGHBR"))}
        env |= {"HF_ENDPOINT": self.library.url, "HF_HOME": str(self.home), "NO_COLOR": "1", "COLUMNS": "200"}
        env |= {"HF_TOKEN": self.library.tokens[who]} if who else {}
        command = [str(Path(sys.executable).with_name("hf")), *arguments]
        ran = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
        said = ran.stdout + ran.stderr
        assert ran.returncode == code, said
        return said


@pytest.fixture
def hf(library: Library, tmp_path: Path) -> HfCommand:
    return HfCommand(library, tmp_path / "hf-home")
