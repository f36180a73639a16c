"""The worker: carries releases through their stages. It alone holds the keys.

    python -m weighbridge.worker --data DIR [--number N]

``serve`` starts one with a pipe on its standard input and stops it by closing that pipe. Whatever the worker was doing
when it ended, by a kill too, the next one with the same number on the same data folder goes on with.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import hashlib
import os
import signal
import socket
import stat
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

from weighbridge.bootstrap import Hub, close_hub, open_hub
from weighbridge.errors import Conflict
from weighbridge.evidence.keys import load_or_create_ed25519, load_or_create_p256
from weighbridge.evidence.public_key import key_id
from weighbridge.evidence.times import rfc3339
from weighbridge.evidence.trust import build_trust, host_of, parse_trust
from weighbridge.logs import configure_logs
from weighbridge.policy import Judge
from weighbridge.release.desk import Desk
from weighbridge.release.lowering_stage import LOWERING_INFIX, sign_lowerings
from weighbridge.release.names import APPROVAL_QUEUE, RELEASE_QUEUE
from weighbridge.release.queue import APP_NAME, APP_VERSION, ReleaseQueue, json_serializer, queue_url, refuse_pickles
from weighbridge.release.sqlite_clock import teach_unixepoch
from weighbridge.release.workflow import register
from weighbridge.settings import load_settings
from weighbridge.storage.database import load_queries
from weighbridge.tlog import LogSigner, publish

QUERIES = load_queries("weighbridge.release")
POLL_S = 0.1
SWEEP_EVERY_S = 5.0
LOCK_TIMEOUT_S = 20.0


def ignore(_: str) -> None:
    """The observer of a worker that nobody observes."""


async def run(
    hub: Hub, *, observer: Callable[[str], None] = ignore, stop: asyncio.Event | None = None, number: int = 1
) -> None:
    """Works until ``stop`` is set. ``observer`` hears the name of each step once it is written down.

    Raises:
        Conflict: another worker with this number runs on this data folder.
    """
    async with _sole_worker(hub.settings.keys_dir / f"worker-{number}.lock", number), Judge() as judge:
        desk = await open_desk(hub, judge)
        await publish(hub.db, hub.objects, desk.log_signer, now_ms=hub.clock())
        queue = ReleaseQueue(queue_url(hub.settings.database_url, hub.settings.workflows_path))
        await _launch(hub, desk, observer=observer, number=number)
        try:
            await _keep_house(hub, desk, queue, stop or asyncio.Event())
        finally:
            await queue.close()
            await _shut_down()


async def open_desk(hub: Hub, judge: Judge) -> Desk:
    """The desk with its keys, made if there are none; the trust file that names them is in the database after this."""
    settings = hub.settings
    release_key = load_or_create_p256(settings.keys_dir / "release.pem")
    log_key = load_or_create_ed25519(settings.keys_dir / "log.pem")
    accounts = settings.keys_dir / "accounts"
    accounts.mkdir(exist_ok=True, mode=0o700)
    await hub.db.run(QUERIES["keep_hub_state"], key="log_origin", value=f"{host_of(settings.public_url)}/tlog")
    signer = LogSigner(await _state(hub, "log_origin"), log_key)
    desk = Desk(
        db=hub.db,
        blobs=hub.blobs,
        objects=hub.objects,
        clock=hub.clock,
        public_url=settings.public_url,
        hub_policy=settings.default_policy,
        release_key=release_key,
        log_signer=signer,
        account_keys=accounts,
        scratch=settings.incoming_dir,
        judge=judge,
    )
    await _write_trust(hub, desk)
    return desk


async def _write_trust(hub: Hub, desk: Desk) -> None:
    """Names the keys. One that was named before keeps its date, so that the file stays the same over restarts."""
    since = rfc3339(hub.clock())
    before = await _state(hub, "trust_config")
    if before:
        known = parse_trust(before).release_key(key_id(desk.release_key.public_key()))
        since = known.valid_from if known else since
    text = build_trust(
        hub=hub.settings.public_url,
        keys=[desk.release_key.public_key()],
        valid_from=since,
        log_origin=desk.log_signer.origin,
        log_vkey=desk.log_signer.vkey,
    )
    await hub.db.run(QUERIES["put_hub_state"], key="trust_config", value=text)


async def _launch(hub: Hub, desk: Desk, *, observer: Callable[[str], None], number: int) -> None:
    from dbos import DBOS

    refuse_pickles()
    teach_unixepoch()
    DBOS(
        config={
            "name": APP_NAME,
            "system_database_url": queue_url(hub.settings.database_url, hub.settings.workflows_path),
            "executor_id": executor_id(hub, number),
            "application_version": APP_VERSION,
            "serializer": json_serializer(),
            "notification_listener_polling_interval_sec": POLL_S,
            "log_level": "WARNING",
        }
    )
    register(desk, observer=observer)
    DBOS.listen_queues([RELEASE_QUEUE, APPROVAL_QUEUE])
    DBOS.launch()
    # No bound on how many run at once: a release that waits at the gate would take a place.
    for name in (RELEASE_QUEUE, APPROVAL_QUEUE):
        await DBOS.register_queue_async(name, polling_interval_sec=POLL_S)


def executor_id(hub: Hub, number: int) -> str:
    """A name that no other worker has, and this one has again after a restart: DBOS resumes by it."""
    if hub.settings.database_url is None:
        return f"worker-{number}"
    place = hashlib.sha256(f"{socket.gethostname()}\n{hub.settings.data}".encode()).hexdigest()[:12]
    return f"worker-{number}-{place}"


async def _keep_house(hub: Hub, desk: Desk, queue: ReleaseQueue, stop: asyncio.Event) -> None:
    """Says that it lives, and finds what a web process wrote into the tables: unqueued, or there to be signed."""
    queued: set[str] = set()
    while not stop.is_set():
        await hub.db.run(QUERIES["put_hub_state"], key="worker_seen_ms", value=str(hub.clock()))
        for row in await hub.db.all(QUERIES["unfinished_releases"]):
            if row["id"] not in queued:
                await queue.release(row["id"])
                queued.add(row["id"])
        for row in await hub.db.all(QUERIES["unsigned_withdrawals"]):
            await queue.withdraw(row["release_id"])
        for row in await hub.db.all(QUERIES["unsigned_lowerings"], infix=LOWERING_INFIX):
            await sign_lowerings(desk, row["release_id"])
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), SWEEP_EVERY_S)


async def _shut_down() -> None:
    from dbos import DBOS

    # On a thread: it joins threads of DBOS that may be waiting for this loop.
    await asyncio.to_thread(DBOS.destroy, destroy_registry=True)


@contextlib.asynccontextmanager
async def _sole_worker(path: Path, number: int) -> AsyncGenerator[None]:
    """Holds the lock of this number: two workers of one name would each redo what the other does."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        for _ in range(int(LOCK_TIMEOUT_S / POLL_S)):
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(POLL_S)
        else:
            raise Conflict(
                f"could not start worker {number}: one of this number runs on this data folder",
                hint="Give this one another --number.",
            )
        yield
    finally:
        os.close(handle)


async def _state(hub: Hub, key: str) -> str:
    row = await hub.db.one(QUERIES["hub_state"], key=key)
    return row["value"] if row else ""


def _stop_with_parent(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Stops when the pipe that ``serve`` holds is closed. Any other standard input means nothing."""
    try:
        mode = os.fstat(0).st_mode
    except OSError:
        return
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return

    def heard() -> None:
        if not os.read(0, 4096):
            loop.remove_reader(0)
            stop.set()

    loop.add_reader(0, heard)


async def _main(data: Path, number: int) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    _stop_with_parent(loop, stop)
    settings = load_settings({"data": data}, os.environ)
    configure_logs(settings)
    hub = await open_hub(settings)
    try:
        await run(hub, stop=stop, number=number)
    finally:
        await close_hub(hub)


def main() -> None:
    """Runs one worker until it is told to stop."""
    parser = argparse.ArgumentParser(prog="weighbridge worker")
    parser.add_argument("--data", type=Path, required=True, help="the hub's data folder")
    parser.add_argument("--number", type=int, default=1, help="which of several workers on this data folder")
    options = parser.parse_args()
    asyncio.run(_main(options.data, options.number))


if __name__ == "__main__":
    main()
