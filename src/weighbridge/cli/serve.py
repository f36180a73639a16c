"""``weighbridge serve``: one process tree. The web process, and beneath it the worker that alone holds the keys."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import json
import os
import signal
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from weighbridge import __version__
from weighbridge.cli.console import json_option, settings_of, settings_options
from weighbridge.errors import InvalidInput

if TYPE_CHECKING:
    import socket

    from weighbridge.bootstrap import Hub
    from weighbridge.http.server import App
    from weighbridge.logs import RequestLog
    from weighbridge.settings import Settings

WORKER_STOP_S = 20


@click.command()
@settings_options
@click.option("--host", help="Address to listen on (default 127.0.0.1).")
@click.option("--port", type=int, help="Port to listen on; 0 takes a free one (default 8720).")
@click.option("--public-url", metavar="URL", help="URL under which readers reach this hub.")
@click.option(
    "--role", type=click.Choice(["all", "api", "blobs"]), help="all: with a worker (default); api, blobs: without."
)
@click.option("--default-policy", metavar="NAME", help="Policy of new namespaces (default open).")
@click.option("--log-format", type=click.Choice(["json", "text"]), help="JSON lines (default), or text for people.")
@click.option(
    "--log-level", type=click.Choice(["debug", "info", "warning", "error"]), help="Least level that is logged."
)
@json_option
def serve(data: Path | None, config: Path | None, as_json: bool, **flags: object) -> None:
    """Run a hub on a data folder: web process and worker, until SIGTERM or Ctrl-C.

    At the first start the account `admin` is made and its token printed, once. For automation set
    WEIGHBRIDGE_ADMIN_TOKEN (20 characters or more): that text is then the admin's token, and nothing is printed.
    Everything else: `weighbridge settings`.
    """
    settings = settings_of(data, config, **flags)
    from weighbridge.bootstrap import make_folders
    from weighbridge.logs import configure_logs

    configure_logs(settings)
    make_folders(settings)
    with folder_lock(settings.data):
        listening, settings = _listen(settings)
        import uvloop

        with suppress(KeyboardInterrupt):
            uvloop.run(_serve(settings, listening, as_json=as_json))


async def _serve(settings: Settings, listening: socket.socket, *, as_json: bool) -> None:
    from weighbridge.bootstrap import close_hub, first_run, open_hub
    from weighbridge.cli.policy_flag import usable_policy
    from weighbridge.cli.worker_child import WorkerChild

    await usable_policy(settings.default_policy)
    hub = await open_hub(settings)
    worker = WorkerChild(settings) if settings.role == "all" else None
    keeping: asyncio.Task[None] | None = None
    try:
        token = await first_run(hub, settings.admin_token)
        if worker is not None:
            await worker.start()
            keeping = asyncio.create_task(worker.keep())
        _write_hub_file(settings, worker_pid=worker.pid if worker else None)
        await _serve_web(hub, listening, token=token if settings.admin_token is None else None, as_json=as_json)
    finally:
        if worker is not None:
            await worker.stop(timeout_s=WORKER_STOP_S)
        if keeping is not None:
            await keeping
        settings.hub_file.unlink(missing_ok=True)
        await close_hub(hub)


async def _serve_web(hub: Hub, listening: socket.socket, *, token: str | None, as_json: bool) -> None:
    from weighbridge.http.server import Server, server_config
    from weighbridge.logs import RequestLog

    log = RequestLog(hub.settings)
    server = Server(server_config(_app(hub, log), hub.settings))
    loop = asyncio.get_running_loop()

    def stop() -> None:
        # The second signal means it: do not wait for requests under way.
        server.force_exit = server.should_exit
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    _announce(hub.settings, token, as_json=as_json)
    try:
        await server.serve([listening])
    finally:
        log.flush()


def _app(hub: Hub, log: RequestLog) -> App:
    from weighbridge.http.app import create_app
    from weighbridge.http.measure import Measured, Metrics
    from weighbridge.http.role import BlobsOnly

    app = create_app(hub)
    if hub.settings.role == "blobs":
        app = BlobsOnly(app)
    return Measured(app, Metrics(), log)


def _announce(settings: Settings, token: str | None, *, as_json: bool) -> None:
    """Says where the hub is, and the first admin's token, on standard output; logs go to standard error."""
    if as_json:
        said = {"url": settings.public_url, "host": settings.host, "port": settings.port, "data": str(settings.data)}
        click.echo(json.dumps({**said, "pid": os.getpid(), "admin_token": token}))
        return
    click.echo(
        f"Weighbridge {__version__} serves {settings.public_url}  (data: {settings.data}, role: {settings.role})"
    )
    if token is not None:
        click.echo(
            "\nFirst start: this is the token of the account `admin`. It is shown this once:\n\n"
            f"  {token}\n\n"
            f"  export HF_ENDPOINT={settings.public_url} HF_TOKEN={token}\n"
        )


@contextmanager
def folder_lock(data: Path) -> Generator[None]:
    """Holds the data folder for this process: two hubs over one folder would each think it theirs.

    Raises:
        InvalidInput: another `serve` runs on it.
    """
    descriptor = os.open(data, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InvalidInput(
                f"could not serve {data}: another `weighbridge serve` runs on it{_who_serves(data)}",
                hint="Stop that one first, or name another folder with --data.",
            ) from None
        yield
    finally:
        os.close(descriptor)


def _who_serves(data: Path) -> str:
    try:
        found = json.loads((data / "hub.json").read_text("utf-8"))
        return f" (process {found['pid']}, {found['url']})"
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _listen(settings: Settings) -> tuple[socket.socket, Settings]:
    from weighbridge.http.server import listen
    from weighbridge.settings import with_port

    try:
        listening = listen(settings.host, settings.port)
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        if error.errno == errno.EADDRINUSE:
            raise InvalidInput(
                f"could not listen on {where}: another process uses this port",
                hint="Name another one with --port, or let --port 0 take a free one.",
            ) from error
        raise InvalidInput(f"could not listen on {where}: {error.strerror or error}") from error
    return listening, with_port(settings, listening.getsockname()[1])


def _write_hub_file(settings: Settings, *, worker_pid: int | None) -> None:
    said = {
        "url": settings.public_url,
        "host": settings.host,
        "port": settings.port,
        "role": settings.role,
        "pid": os.getpid(),
        "worker_pid": worker_pid,
        "version": __version__,
    }
    part = settings.data / ".hub.json.part"
    part.write_text(json.dumps(said, indent=2) + "\n", "utf-8")
    part.chmod(0o600)
    part.replace(settings.hub_file)
