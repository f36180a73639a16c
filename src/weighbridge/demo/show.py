"""The whole of it in eight steps, each by the real commands in processes of their own.

Show(options, workspace).run()      # raises DemoFailed at the first thing that is not as it should be
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from weighbridge.demo.failed import DemoFailed
from weighbridge.demo.folder import make_checkpoint_folder
from weighbridge.demo.hub_process import HubProcess
from weighbridge.demo.source import find_source

NAMESPACE = "acme"
MODEL = "SmolLM2-135M-Instruct"
REPO = f"{NAMESPACE}/{MODEL}"
AUTHOR = "lin"
REVIEWERS = {"ada": "The inspection is clean and the card is honest.", "grace": "The licence allows it. I agree."}
QUESTION = "What is the capital of France?"
COMMAND_S = 300
STEPS = 8
DONE, NOT_VERIFIED, WAITS = 0, 1, 3
"""Exit codes of docs/format.md section 10."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked on the command line. ``data`` None: a folder that goes with the demo."""

    data: Path | None
    port: int
    engine: bool
    admin_token: str


class Show:
    """One run. ``workspace`` is a folder for everything that is not the hub's."""

    def __init__(self, options: Options, workspace: Path) -> None:
        self._options = options
        self._workspace = workspace
        self._model = workspace / MODEL
        self._download = workspace / "downloaded" / MODEL
        self._trust = workspace / "trust_config.json"
        self._step = 0
        data = options.data or workspace / "hub"
        self.hub = HubProcess(data=data, log=workspace / "hub.log", admin_token=options.admin_token, port=options.port)

    def run(self) -> None:
        """All of it; the hub still runs afterwards.

        Raises:
            DemoFailed: something ended otherwise than it should.
        """
        if self._options.engine:
            require_engine()
        self._start_hub()
        self._make_folder()
        if self._release():
            self._approve()
            self._publish()
        self._fetch()
        self._verify()
        self._say_where()

    @property
    def page(self) -> str:
        """Where the hub shows the model."""
        return f"{self.hub.url}/{REPO}"

    def _start_hub(self) -> None:
        self._head("Start a hub: one process tree, SQLite and a folder, nothing else")
        self.hub.start()
        self._say(f"{self.hub.url}  (data: {self.hub.data})")

    def _make_folder(self) -> None:
        source = find_source()
        self._head(f"Make a checkpoint folder of a real, small model, out of the package {source.package}")
        started = time.monotonic()
        made = make_checkpoint_folder(source, self._model)
        self._say(
            f"{made.files} files, {made.size_bytes / 1e6:.1f} MB, {made.parameters / 1e6:.1f} M parameters, "
            f"{time.monotonic() - started:.1f} s: {made.path}"
        )

    def _release(self) -> bool:
        """Whether it waits at the gate now; False when the hub's folder held this release already."""
        self._head(f"Release it: {AUTHOR} puts it forward; organisation {NAMESPACE} decides by policy `responsible`")
        self.hub.add_people([AUTHOR, *REVIEWERS], organisation=NAMESPACE, policy="responsible")
        self.hub.add_member(NAMESPACE, AUTHOR, role="write")
        for reviewer in REVIEWERS:
            self.hub.add_member(NAMESPACE, reviewer, role="reviewer")
        is_out = self._newest().get("state") == "released"
        words = [*self._release_words(), "--no-wait"]
        self._weighbridge(words, token=self._author_token(), expected=DONE if is_out else WAITS)
        if is_out:
            self._step += 2
            self._say("This data folder held the release already: no gate, no approvals this time.")
        return not is_out

    def _approve(self) -> None:
        self._head("It waits at the gate: two people other than the author must say yes, each with a key of their own")
        for reviewer, reason in REVIEWERS.items():
            token = self.hub.token_of(reviewer, scopes=("read", "approve"))
            self._weighbridge(["approve", REPO, "--reason", reason], token=token)

    def _publish(self) -> None:
        self._head("The same command again: it goes on where it was, and now the gate is open")
        self._weighbridge(self._release_words(), token=self._author_token())
        state = self._newest()["state"]
        if state != "released":
            raise DemoFailed(f"could not release the model: the release is {state} after both approvals")

    def _release_words(self) -> list[str]:
        return ["release", str(self._model), REPO, "--weights", "public", "--inference", "none"]

    def _author_token(self) -> str:
        return self.hub.token_of(AUTHOR, scopes=("read", "write"))

    def _fetch(self) -> None:
        self._head("Download it as anyone would: the unmodified Hugging Face client, no account")
        hf = Path(sys.executable).with_name("hf")
        self._run([str(hf), "download", REPO, "--local-dir", str(self._download)], env=self._reader())
        if self._options.engine:
            self._generate()

    def _generate(self) -> None:
        self._say(f"Load it with transformers straight from the hub, and ask: {QUESTION}")
        said = self._run(
            [sys.executable, "-m", "weighbridge.demo.generate", REPO, QUESTION], env=self._reader(), keep_output=True
        )
        answer = said.strip().splitlines()[-1] if said.strip() else ""
        if "Paris" not in answer:
            raise DemoFailed(f"could not use the model: it answered {answer!r}")
        self._say(f"It says: {answer}")

    def _verify(self) -> None:
        self._head("Check the proof offline; then flip one byte of the weights, and check again")
        self.hub.trust_file(self._trust)
        words = ["verify", str(self._download), "--trust", str(self._trust)]
        self._weighbridge(words)
        weights = self._download / "model.safetensors"
        at_byte = weights.stat().st_size // 2
        flip_byte(weights, at_byte)
        try:
            self._say(f"Byte {at_byte:,} of {weights.name} is flipped now.")
            said = self._weighbridge(words, expected=NOT_VERIFIED, keep_output=True)
        finally:
            flip_byte(weights, at_byte)
        click.echo(said.rstrip())
        if weights.name not in said:
            raise DemoFailed(f"could not show a failed check: `weighbridge verify` did not name {weights.name}")
        self._say(f"Refused, as it must be. {weights.name} is put back.")

    def _say_where(self) -> None:
        self._head("See it in a browser")
        self._say(f"Model    {self.page}")
        self._say(f"Release  {self.hub.url}/{REPO}/releases/{self._newest()['number']}")
        self._say(f"Log in at {self.hub.url}/login with the admin's token: {self._options.admin_token}")

    def _newest(self) -> dict[str, Any]:
        """The newest release as the hub tells it; empty when there is none, or no such repo yet."""
        path = f"/api/weighbridge/v1/repos/models/{REPO}/releases?limit=1"
        answer = self.hub.call("GET", path, passable=(404,))
        return answer["releases"][0] if answer and answer["releases"] else {}

    def _weighbridge(
        self, words: Sequence[str], *, token: str = "", expected: int = DONE, keep_output: bool = False
    ) -> str:
        return self._run(
            [sys.executable, "-m", "weighbridge.cli.main", *words],
            env=self._environment(token),
            shown=["weighbridge", *words],
            expected=expected,
            keep_output=keep_output,
        )

    def _run(
        self,
        command: Sequence[str],
        *,
        env: dict[str, str],
        shown: Sequence[str] = (),
        expected: int = DONE,
        keep_output: bool = False,
    ) -> str:
        """What the command printed when ``keep_output``; else it prints for itself."""
        show_command(shown or [Path(command[0]).name, *command[1:]])
        out, err = (subprocess.PIPE, subprocess.STDOUT) if keep_output else (None, None)
        try:
            done = subprocess.run(
                command, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=err, timeout=COMMAND_S, text=True
            )
        except subprocess.TimeoutExpired:
            raise DemoFailed(f"could not run {shown or command}: it did not end in {COMMAND_S} s") from None
        if done.returncode != expected:
            click.echo(done.stdout or "", err=True, nl=False)
            name = " ".join((shown or command)[:2])
            raise DemoFailed(f"could not go on: `{name}` ended with exit code {done.returncode}, not {expected}")
        return done.stdout or ""

    def _environment(self, token: str) -> dict[str, str]:
        """As a person's shell would have it, with nothing of this person's own settings."""
        env = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "WEIGHBRIDGE_"))}
        env |= {"HF_ENDPOINT": self.hub.url, "HF_HOME": str(self._workspace / "hf-home")}
        env |= {"XDG_CONFIG_HOME": str(self._workspace / "config"), "HF_HUB_DISABLE_TELEMETRY": "1"}
        return env | {"HF_TOKEN": token} if token else env

    def _reader(self) -> dict[str, str]:
        return self._environment("")

    def _head(self, text: str) -> None:
        self._step += 1
        click.secho(f"\n[{self._step}/{STEPS}] {text}", bold=True)

    def _say(self, text: str) -> None:
        click.echo(f"      {text}")


def show_command(words: Sequence[str]) -> None:
    """Prints a command as a person would type it."""
    import shlex

    click.secho(f"      $ {shlex.join(words)}", dim=True)


def flip_byte(path: Path, at_byte: int) -> None:
    """Inverts every bit of one byte; done twice, the file is as it was."""
    with path.open("r+b") as file:
        file.seek(at_byte)
        byte = file.read(1)[0]
        file.seek(at_byte)
        file.write(bytes([byte ^ 0xFF]))


def require_engine() -> None:
    """Returns when transformers and torch are there.

    Raises:
        DemoFailed: they are not.
    """
    lacking = [name for name in ("torch", "transformers") if importlib.util.find_spec(name) is None]
    if lacking:
        raise DemoFailed(
            f"could not run the engine: {' and '.join(lacking)} not installed",
            hint="make demo ENGINE=1, or pip install -r requirements/engine.txt",
        )
