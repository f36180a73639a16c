"""The command line as a whole: laziness, help, exit codes, errors in words and in JSON, completion."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import urllib3

from weighbridge import __version__, errors
from weighbridge.cli import console, main

HEAVY = (
    "starlette",
    "uvicorn",
    "msgspec",
    "dbos",
    "sqlalchemy",
    "cryptography",
    "weighbridge.storage",
    "asyncio",
    "rich",
)


def call(*words: str, env: dict[str, str] | None = None, **options) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("WEIGHBRIDGE_")}
    return subprocess.run(
        [sys.executable, "-m", "weighbridge.cli.main", *words],
        env={**clean, **(env or {})},
        capture_output=True,
        text=True,
        timeout=60,
        **options,
    )


def test_help_names_every_command_and_imports_none() -> None:
    script = (
        "import sys; from weighbridge.cli.main import run; code = run(['--help']);"
        "print([m for m in sys.modules if m.startswith('weighbridge')], file=sys.stderr);"
        f"print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr); sys.exit(code)"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert found.returncode == 0
    for name in main.COMMANDS:
        assert f"\n  {name} " in found.stdout
    ours, heavy = found.stderr.splitlines()
    assert heavy == "[]"
    loaded = {"weighbridge", "weighbridge.cli", "weighbridge.cli.main", "weighbridge.cli.console", "weighbridge.errors"}
    assert set(json.loads(ours.replace("'", '"'))) == loaded


@pytest.mark.parametrize("name", list(main.COMMANDS))
def test_each_command_of_the_table_is_there_and_explains_itself(name: str) -> None:
    found = call(name, "--help")
    assert found.returncode == 0, found.stderr
    assert found.stdout.startswith(f"Usage: weighbridge {name}")
    assert name == "admin" or "--json" in found.stdout


def test_version() -> None:
    found = call("--version")
    assert (found.returncode, found.stdout) == (0, f"weighbridge, version {__version__}\n")


@pytest.mark.parametrize(
    "words", [["nonsense"], ["settings", "--nonsense"], ["completion", "tcsh"], ["serve", "--port", "x"]]
)
def test_wrong_usage_is_2(words: list[str]) -> None:
    found = call(*words)
    assert found.returncode == console.USAGE
    assert found.stdout == ""
    assert "Error" in found.stderr


def test_a_mistyped_command_is_guessed() -> None:
    assert "Did you mean verify?" in call("verfy").stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.Refused("could not x"), 1),
        (errors.VerificationFailed("could not x", check="sums"), 1),
        (errors.WithdrawnRelease("could not x", advisory={}), 1),
        (errors.RepoNotFound("could not x"), 1),
        (errors.Conflict("could not x"), 1),
        (errors.StorageFull("could not x"), 1),
        (errors.DigestMismatch("could not x"), 2),
        (errors.InvalidInput("could not x"), 2),
        (console.HubUnreachable("could not x"), 4),
        (ConnectionRefusedError("could not x"), 4),
        (urllib3.exceptions.ProtocolError("could not x"), 4),
        (errors.NotAuthenticated("could not x"), 5),
        (errors.GatedRepo("could not x"), 5),
        (errors.UnprocessableFile("could not x"), 6),
        (errors.UnreadableFile("could not x"), 6),
        (errors.TooLarge("could not x"), 6),
        (PermissionError(13, "could not x", "/some/file"), 6),
        (KeyboardInterrupt(), 130),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
def test_exit_codes(error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise error

    monkeypatch.setattr(main.weighbridge, "main", fail)
    assert main.run(["settings", "--json"]) == code
    shown = capsys.readouterr()
    if code in (1, 2, 4, 5, 6):
        assert "could not x" in shown.err
        assert json.loads(shown.out)["error"]


def test_an_error_is_words_on_stderr_and_json_on_stdout(tmp_path: Path) -> None:
    found = call("admin", "user", "list", "--data", str(tmp_path), "--json")
    assert found.returncode == 1
    assert found.stderr.startswith("error: could not find a hub in ")
    assert "\nhint: " in found.stderr
    assert json.loads(found.stdout)["code"] == "NotFound"
    assert call("admin", "user", "list", "--data", str(tmp_path)).stdout == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str) -> None:
    found = call("completion", shell)
    assert found.returncode == 0
    assert f"_WEIGHBRIDGE_COMPLETE={shell}_complete" in found.stdout
    assert json.loads(call("completion", shell, "--json").stdout) == {"shell": shell, "script": found.stdout[:-1]}


def test_completion_completes() -> None:
    env = {"_WEIGHBRIDGE_COMPLETE": "bash_complete", "COMP_WORDS": "weighbridge serve --po", "COMP_CWORD": "2"}
    assert call(env=env).stdout == "plain,--port\n"
    env = {"_WEIGHBRIDGE_COMPLETE": "bash_complete", "COMP_WORDS": "weighbridge ver", "COMP_CWORD": "1"}
    assert call(env=env).stdout == "plain,verify\n"


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = f"{sys.executable} -m weighbridge.cli.main settings --json | head -c 1"
    found = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, timeout=60)
    assert found.stderr == ""


def test_settings_are_shown_with_their_source_and_secrets_masked(tmp_path: Path) -> None:
    env = {"WEIGHBRIDGE_PORT": "4711", "WEIGHBRIDGE_ADMIN_TOKEN": "the-admin-token-0123456789"}
    found = call("settings", "--data", str(tmp_path), "--json", env=env)
    shown = json.loads(found.stdout)
    assert shown["port"] == {"value": 4711, "source": "WEIGHBRIDGE_PORT", "about": shown["port"]["about"]}
    assert shown["data"]["source"] == "--data"
    assert shown["admin_token"]["value"] == "********"
    text = call("settings", "--data", str(tmp_path), env=env).stdout
    assert "4711" in text
    assert "the-admin-token" not in text + found.stdout


def test_a_wrong_setting_is_usage() -> None:
    found = call("settings", env={"WEIGHBRIDGE_PORT": "many"})
    assert found.returncode == 2
    assert "could not use port = 'many' (WEIGHBRIDGE_PORT)" in found.stderr
