"""``weighbridge demo``: the whole of it on one machine, with a real model, by the real commands."""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

import click

from weighbridge.cli.console import REFUSED, json_option, print_json, report
from weighbridge.errors import InvalidInput, WeighbridgeError

if TYPE_CHECKING:
    from weighbridge.demo.show import Show

_NEEDS = ("gguf", "huggingface_hub", "ml_dtypes", "numpy", "safetensors", "tokenizers")


@click.command()
@click.option("--once", is_flag=True, help="Stop everything at the end, instead of staying up.")
@click.option(
    "--engine", is_flag=True, help="Also load the model from the hub with transformers, and ask it something."
)
@click.option(
    "--data", type=click.Path(path_type=Path), metavar="DIR", help="The hub's data folder (default: a new one)."
)
@click.option("--port", type=int, default=0, help="Port to listen on (default: a free one).")
@json_option
def demo(once: bool, engine: bool, data: Path | None, port: int, as_json: bool) -> int:
    """Show all of it: a hub, a real small model, released, downloaded, verified.

    Starts a hub, makes a checkpoint folder of SmolLM2-135M-Instruct, releases it through inspection, documents, policy,
    two approvals, signature and log, downloads it with the unmodified `hf`, and checks the proof. Then it stays up
    until Ctrl-C, so that you can look around.
    """
    require_extra()
    from weighbridge.demo.show import Options, Show

    signal.signal(signal.SIGTERM, _interrupt)
    admin_token = os.environ.get("WEIGHBRIDGE_ADMIN_TOKEN") or secrets.token_urlsafe(24)
    workspace = Path(tempfile.mkdtemp(prefix="weighbridge-demo-"))
    show = Show(Options(data=data, port=port, engine=engine, admin_token=admin_token), workspace)
    started = time.monotonic()
    try:
        with _told_apart(as_json=as_json):
            show.run()
            took_s = time.monotonic() - started
            click.secho(f"\nDone in {took_s:.0f} s: everything went as it should.", bold=True)
        if as_json:
            print_json({"ok": True, "hub": show.hub.url, "page": show.page, "took_s": round(took_s, 1)})
        if not once:
            click.echo("The hub stays up. Ctrl-C stops it.", err=as_json)
            show.hub.wait()
        show.hub.stop()
    except KeyboardInterrupt:
        click.echo("\nStopping the hub.", err=as_json)
        show.hub.stop()
    except WeighbridgeError as error:
        return _fail(show, error, as_json=as_json)
    finally:
        _clear(show, workspace)
    return 0


def require_extra() -> None:
    """Returns when the demo's packages are there.

    Raises:
        InvalidInput: they are not.
    """
    lacking = [name for name in _NEEDS if importlib.util.find_spec(name) is None]
    if lacking:
        raise InvalidInput(
            f"could not start the demo: {', '.join(lacking)} not installed",
            hint="make demo, or pip install --require-hashes -r requirements/demo.txt",
        )


def _fail(show: Show, error: WeighbridgeError, *, as_json: bool) -> int:
    tail = show.hub.log_tail()
    if tail:
        click.secho("\nThe end of the hub's log:", bold=True, err=True)
        click.echo(tail, err=True)
    report(error, as_json=as_json)
    return REFUSED


@contextmanager
def _told_apart(*, as_json: bool) -> Generator[None]:
    """With ``as_json`` what the demo and its commands tell goes to standard error, so that the result stands alone."""
    if not as_json:
        yield
        return
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def _clear(show: Show, workspace: Path) -> None:
    """Stops what still runs and removes what the demo made; the hub's own folder stays if it was named."""
    try:
        show.hub.stop()
    except WeighbridgeError as error:
        click.echo(f"error: {error.message}", err=True)
    shutil.rmtree(workspace, ignore_errors=True)


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
