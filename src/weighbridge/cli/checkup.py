"""The checks of ``weighbridge doctor``, each a function from settings to one line.

for line in examine(settings): print(line.state, line.check, line.detail, line.remedy)
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import platform
import secrets
import shutil
import socket
import sqlite3
import stat
import sys
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from enum import StrEnum
from urllib.parse import urlsplit

import msgspec

from weighbridge.errors import WeighbridgeError
from weighbridge.settings import Settings, masked

MIN_SQLITE = (3, 35)
"""First version with RETURNING, which the queries use."""

LITTLE_SPACE = 5 << 30
NO_SPACE = 200 << 20
CLOCK_WARN_S = 5.0
ASK_TIMEOUT_S = 5.0


class State(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One check's outcome; ``remedy`` says what to do, empty when there is nothing to do."""

    check: str
    state: State
    detail: str
    remedy: str = ""


def examine(settings: Settings) -> list[Line]:
    """Every check, in order. A check that breaks is itself a failed line: the rest still runs."""
    return [_run(name, check, settings) for name, check in CHECKS.items()]


def _run(name: str, check: Callable[[Settings], Line], settings: Settings) -> Line:
    try:
        return check(settings)
    except WeighbridgeError as error:
        return Line(check=name, state=State.FAIL, detail=error.message, remedy=error.diagnostics())
    except OSError as error:
        return Line(check=name, state=State.FAIL, detail=f"{error.strerror or error} {error.filename or ''}".strip())


def _ok(check: str, detail: str) -> Line:
    return Line(check=check, state=State.OK, detail=detail)


def _warn(check: str, detail: str, remedy: str) -> Line:
    return Line(check=check, state=State.WARN, detail=detail, remedy=remedy)


def _fail(check: str, detail: str, remedy: str) -> Line:
    return Line(check=check, state=State.FAIL, detail=detail, remedy=remedy)


def check_python(_settings: Settings) -> Line:
    """This interpreter is one of those that are tested."""
    found = platform.python_version()
    if (3, 11) <= sys.version_info[:2] <= (3, 13):
        return _ok("python", f"{found}, {sys.executable}")
    return _fail("python", found, "Use Python 3.11, 3.12 or 3.13.")


def check_sqlite(_settings: Settings) -> Line:
    """The SQLite library that this Python is linked to is new enough."""
    if sqlite3.sqlite_version_info >= MIN_SQLITE:
        return _ok("sqlite", sqlite3.sqlite_version)
    wanted = ".".join(map(str, MIN_SQLITE))
    return _fail("sqlite", sqlite3.sqlite_version, f"Use a Python built with SQLite {wanted} or later, or PostgreSQL.")


def check_data(settings: Settings) -> Line:
    """The data folder can be written, and nobody else may enter it."""
    data = settings.data
    if not data.exists():
        return _warn("data folder", f"{data} is not there yet", "`weighbridge serve` makes it.")
    if not data.is_dir():
        return _fail("data folder", f"{data} is not a folder", "Name another one with --data.")
    probe = data / f".doctor-{secrets.token_hex(8)}"
    try:
        descriptor = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(descriptor, b"probe")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        return _fail("data folder", f"{data} cannot be written: {error.strerror}", "Let this account own the folder.")
    finally:
        with contextlib.suppress(OSError):
            probe.unlink()
    if stat.S_IMODE(data.stat().st_mode) & 0o007:
        return _warn("data folder", f"{data} is open to every account of this machine", f"chmod o-rwx {data}")
    return _ok("data folder", str(data))


def check_space(settings: Settings) -> Line:
    """There is room for a model."""
    folder = next(path for path in (settings.data, *settings.data.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    detail = f"{free / (1 << 30):.1f} GiB free at {folder}"
    if free < NO_SPACE:
        return _fail("free space", detail, "Free space: uploads and the database will be refused.")
    if free < LITTLE_SPACE:
        return _warn("free space", detail, "Free space before the next large model.")
    return _ok("free space", detail)


def check_keys(settings: Settings) -> Line:
    """Signing keys can be read by their owner alone."""
    keys = [path for path in settings.keys_dir.rglob("*.pem") if path.is_file()] if settings.keys_dir.is_dir() else []
    loose = [path for path in keys if stat.S_IMODE(path.stat().st_mode) & 0o077]
    if loose:
        names = ", ".join(str(path.relative_to(settings.data)) for path in loose)
        return _fail("keys", f"others may read {names}", "chmod 600 them, and replace them if they were read.")
    if not keys:
        return _warn("keys", "none yet", "The worker makes them when it first runs.")
    return _ok("keys", f"{len(keys)}, readable by their owner alone")


def check_database(settings: Settings) -> Line:
    """The database answers, and holds every migration."""
    if settings.database_url is None and not settings.metadata_path.exists():
        return _warn("database", f"no {settings.metadata_path.name} yet", "`weighbridge serve` makes it.")
    return asyncio.run(_check_database(settings))


async def _check_database(settings: Settings) -> Line:
    from weighbridge.storage.connect import open_database
    from weighbridge.storage.database import load_migrations

    place = str(masked(settings, "database_url") or settings.metadata_path)
    db = await open_database(settings.database_url or settings.metadata_path)
    try:
        rows = await db.all("SELECT version FROM schema_version")
    except Exception as error:  # noqa: BLE001 - each driver has its own; any of them means the same here
        return _fail("database", f"{place} does not answer: {error}", "Check the URL, and that `serve` ran once.")
    finally:
        await db.close()
    missing = {number for number, _ in load_migrations()} - {row["version"] for row in rows}
    unknown = {row["version"] for row in rows} - {number for number, _ in load_migrations()}
    if unknown:
        return _fail("database", f"{place} is of a newer version", "Install that version, or restore a backup.")
    if missing:
        return _warn("database", f"{place} lacks {len(missing)} migrations", "`weighbridge serve` applies them.")
    return _ok("database", f"{place}, {len(rows)} migrations")


def check_blobs(settings: Settings) -> Line:
    """The blob store takes, gives back and forgets a small blob."""
    if settings.s3_bucket is None and not settings.blobs_dir.exists():
        return _warn("blobs", "no folder yet", "`weighbridge serve` makes it.")
    return asyncio.run(_check_blobs(settings))


async def _check_blobs(settings: Settings) -> Line:
    from weighbridge.bootstrap import open_stores

    blobs, objects = open_stores(settings)
    where = f"s3://{settings.s3_bucket}/{settings.s3_prefix}" if settings.s3_bucket else str(settings.blobs_dir)
    content = b"weighbridge doctor " + secrets.token_bytes(16)
    try:
        sha256 = await blobs.put_bytes(content)
        try:
            if await blobs.read(sha256) != content:
                return _fail("blobs", f"{where} gave back other bytes", "The store is damaged: do not write to it.")
        finally:
            await blobs.delete(sha256)
    finally:
        await blobs.close()
        await objects.close()
    return _ok("blobs", f"{where}: put, get and delete work")


def check_clock(_settings: Settings) -> Line:
    """The clock is set. (Whether it is exact is asked of a hub, where one is named.)"""
    if time.time() < 1_767_225_600:  # 2026-01-01: older than this program
        return _fail("clock", time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()), "Set the machine's clock.")
    return _ok("clock", time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()))


def check_port(settings: Settings) -> Line:
    """The port is free, or the hub of this data folder has it."""
    from weighbridge.http.server import listen

    where = f"{settings.host}:{settings.port}"
    running = _running_hub(settings)
    if running:
        return _ok("port", f"a hub serves this folder: {running}")
    try:
        listen(settings.host, settings.port).close()
    except (OSError, socket.gaierror) as error:
        return _fail("port", f"{where}: {error.strerror or error}", "Name another address with --host and --port.")
    if settings.sources.get("public_url") == "default" and settings.host in ("0.0.0.0", "::"):  # noqa: S104
        return _warn("port", f"{where} is free", "Set public_url: links and proofs name this machine 127.0.0.1.")
    return _ok("port", f"{where} is free")


def check_public_url(settings: Settings) -> Line:
    """Tokens do not travel in clear: readers reach the hub by https, or it is theirs alone."""
    parts = urlsplit(settings.public_url)
    if parts.scheme == "https" or _is_local(parts.hostname or ""):
        return _ok("public url", settings.public_url)
    remedy = "Put a proxy with TLS in front of the hub, and name its https address with --public-url."
    return _warn("public url", f"{settings.public_url} is not https: tokens travel in clear", remedy)


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _running_hub(settings: Settings) -> str:
    try:
        found = msgspec.json.decode(settings.hub_file.read_bytes())
        os.kill(found["pid"], 0)
        return f"process {found['pid']}, {found['url']}"
    except PermissionError:
        return "by another account"
    except (OSError, msgspec.DecodeError, KeyError, TypeError):
        return ""


def check_sandbox(_settings: Settings) -> Line:
    """Hostile model files can be read in a process without network."""
    return asyncio.run(_check_sandbox())


async def _check_sandbox() -> Line:
    from weighbridge.sandbox import Cell

    async with Cell("inspect") as cell:
        detail = ", ".join(cell.isolation)
    if "network-namespace" in cell.isolation:
        return _ok("sandbox", detail)
    return _warn(
        "sandbox",
        f"no network namespace; in force: {detail}",
        "Allow unprivileged user namespaces (kernel.unprivileged_userns_clone=1), or keep the worker off the network.",
    )


def check_hub(_settings: Settings) -> Line:
    """The hub that ``HF_ENDPOINT`` names answers, and its clock agrees with ours."""
    endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/")
    if not endpoint:
        return _ok("hub", "HF_ENDPOINT is not set: nothing to ask")
    import urllib3

    timeout = urllib3.Timeout(total=ASK_TIMEOUT_S)
    try:
        answer = urllib3.request("GET", f"{endpoint}/readyz", timeout=timeout, retries=False, redirect=False)
    except urllib3.exceptions.HTTPError as error:
        return _fail("hub", f"{endpoint} cannot be reached: {error}", "Start the hub, or correct HF_ENDPOINT.")
    if answer.status != 200:
        return _fail("hub", f"{endpoint}/readyz answers {answer.status}", "Look at the hub's log, and its /readyz.")
    with contextlib.suppress(ValueError, TypeError, KeyError):
        apart_s = abs(parsedate_to_datetime(answer.headers["date"]).timestamp() - time.time())
        if apart_s > CLOCK_WARN_S:
            return _warn(
                "hub", f"{endpoint} is ready; its clock is {apart_s:.0f} s from ours", "Set the clocks by NTP."
            )
    return _ok("hub", f"{endpoint} is ready")


CHECKS: dict[str, Callable[[Settings], Line]] = {
    "python": check_python,
    "sqlite": check_sqlite,
    "data folder": check_data,
    "free space": check_space,
    "keys": check_keys,
    "database": check_database,
    "blobs": check_blobs,
    "clock": check_clock,
    "port": check_port,
    "public url": check_public_url,
    "sandbox": check_sandbox,
    "hub": check_hub,
}
