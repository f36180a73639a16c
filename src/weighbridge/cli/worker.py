"""``weighbridge worker``: one more worker process for a hub, beside the one that ``serve`` runs."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import click

from weighbridge.cli.console import json_option, settings_of, settings_options


@click.command()
@click.option("--number", type=click.IntRange(1), default=1, show_default=True, help="Which of several on this folder.")
@settings_options
@json_option
def worker(number: int, data: Path | None, config: Path | None, as_json: bool) -> None:
    """Run one more worker: it inspects, signs, logs and publishes what the hub's queue holds.

    `weighbridge serve` runs one by itself. This one is for hubs whose web nodes run with --role api, over one
    PostgreSQL and one bucket. It stops on SIGTERM; work under way goes on at the next start.
    """
    from weighbridge.settings import child_environment

    found = settings_of(data, config)
    environment = {**os.environ, **child_environment(found)}
    command = [sys.executable, "-m", "weighbridge.worker", "--data", str(found.data), "--number", str(number)]
    if as_json:
        # One line, as of `serve --json`; the process id stays, since the worker takes this process over.
        said = {"data": str(found.data), "number": number, "pid": os.getpid()}
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()
    os.execve(sys.executable, command, environment)  # noqa: S606
