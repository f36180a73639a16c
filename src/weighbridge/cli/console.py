"""What commands share: options, JSON output, exit codes. Imports click and nothing else, so that ``--help`` stays fast.

@click.command()
@settings_options
@json_option
def doctor(data, config, as_json): ...
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from weighbridge.errors import (
    InvalidInput,
    NotAllowed,
    NotAuthenticated,
    TooLarge,
    UnprocessableFile,
    UnreadableFile,
    WeighbridgeError,
    WithdrawnRelease,
)

if TYPE_CHECKING:
    from weighbridge.settings import Settings

DONE, REFUSED, USAGE, WAITS, UNREACHABLE, FORBIDDEN, LOCAL_FILE, INTERRUPTED = 0, 1, 2, 3, 4, 5, 6, 130

F = TypeVar("F", bound=Callable[..., Any])

_CODES: tuple[tuple[type[WeighbridgeError], int], ...] = (
    (WithdrawnRelease, REFUSED),
    (NotAuthenticated, FORBIDDEN),
    (NotAllowed, FORBIDDEN),
    (UnprocessableFile, LOCAL_FILE),
    (UnreadableFile, LOCAL_FILE),
    (TooLarge, LOCAL_FILE),
    (InvalidInput, USAGE),
)


class HubUnreachable(WeighbridgeError):
    """The hub cannot be reached, or its answer makes no sense (exit code 4)."""

    default_hint = "Check the hub's address (HF_ENDPOINT or --hub) and that it runs: its /readyz must answer 200."


def exit_code(error: WeighbridgeError) -> int:
    """The exit code that ``docs/format.md`` section 10 gives to an error."""
    if isinstance(error, HubUnreachable):
        return UNREACHABLE
    return next((code for kind, code in _CODES if isinstance(error, kind)), REFUSED)


def json_option(command: F) -> F:
    """Adds ``--json``; the function gets ``as_json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")(command)


def settings_options(command: F) -> F:
    """Adds ``--data`` and ``--config``; the function gets ``data: Path | None`` and ``config: Path | None``."""
    command = click.option(
        "--config",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Settings file (default: DATA/weighbridge.toml).",
    )(command)
    return click.option(
        "--data", type=click.Path(path_type=Path), metavar="DIR", help="The hub's data folder, made if it is not there."
    )(command)


def settings_of(data: Path | None, config: Path | None, **flags: object) -> Settings:
    """The settings that a command runs with: its flags, then the environment, then the file."""
    from weighbridge.settings import load_settings

    return load_settings({"data": data, **flags}, os.environ, config)


def print_json(value: object) -> None:
    """Prints a value as indented JSON on standard output."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def report(error: WeighbridgeError, *, as_json: bool) -> int:
    """Prints an error for a person on standard error, as JSON on standard output if asked; gives its exit code."""
    click.echo(f"error: {error.message}", err=True)
    if error.diagnostics():
        click.echo(f"hint: {error.diagnostics()}", err=True)
    if as_json:
        print_json({"error": error.message, "hint": error.diagnostics(), "code": type(error).__name__})
    return exit_code(error)
