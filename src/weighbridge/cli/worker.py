"""``weighbridge worker``: one more worker process for a hub, beside the one that ``serve`` runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from weighbridge.cli.console import settings_of, settings_options


@click.command()
@settings_options
def worker(data: Path | None, config: Path | None) -> None:
    """Run one more worker: it inspects, signs, logs and publishes what the hub's queue holds.

    `weighbridge serve` runs one by itself. This one is for hubs whose web nodes run with --role api, over one
    PostgreSQL and one bucket. It stops on SIGTERM; work under way goes on at the next start.
    """
    from weighbridge.settings import child_environment

    found = settings_of(data, config)
    environment = {**os.environ, **child_environment(found)}
    os.execve(sys.executable, [sys.executable, "-m", "weighbridge.worker", "--data", str(found.data)], environment)  # noqa: S606
