"""``weighbridge worker``: one more worker process for a hub, beside the one that ``serve`` runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from weighbridge.cli.console import settings_of, settings_options


@click.command()
@click.option("--number", type=click.IntRange(1), default=1, show_default=True, help="Which of several on this folder.")
@settings_options
def worker(number: int, data: Path | None, config: Path | None) -> None:
    """Run one more worker: it inspects, signs, logs and publishes what the hub's queue holds.

    `weighbridge serve` runs one by itself. This one is for hubs whose web nodes run with --role api, over one
    PostgreSQL and one bucket. It stops on SIGTERM; work under way goes on at the next start.
    """
    from weighbridge.settings import child_environment

    found = settings_of(data, config)
    environment = {**os.environ, **child_environment(found)}
    command = [sys.executable, "-m", "weighbridge.worker", "--data", str(found.data), "--number", str(number)]
    os.execve(sys.executable, command, environment)  # noqa: S606
