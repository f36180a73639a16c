"""The same release on PostgreSQL and S3, with two workers at it."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from tests.cli.releasing import Person, write_model
from tests.contracts.conftest import S3, postgres, postgres_url, s3
from tests.running import RunningHub
from weighbridge.settings import child_environment, load_settings

__all__ = ["postgres", "postgres_url", "s3"]
pytestmark = pytest.mark.slow


def test_two_workers_release_each_once(start_hub, tmp_path: Path, postgres_url: str, s3: S3) -> None:
    given = {
        "database_url": postgres_url, "s3_bucket": f"b{secrets.token_hex(4)}", "s3_endpoint": s3.endpoint,
        "s3_access_key": s3.access_key, "s3_secret_key": s3.secret_key,
    }  # fmt: skip
    hub: RunningHub = start_hub(**given)
    settings = load_settings({"data": hub.data, "public_url": hub.url, **given})
    second = subprocess.Popen(
        [sys.executable, "-m", "weighbridge.worker", "--data", str(hub.data), "--number", "2"],
        env={**os.environ, **child_environment(settings)}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        author = Person(hub, hub.user("author"), tmp_path / "home")
        author.home.mkdir()
        folders = {name: write_model(tmp_path / name, secrets.token_bytes(64)) for name in ("a", "b", "c")}
        for name in folders:
            body = {"name": name, "type": "model", "private": True}
            assert hub.send("POST", "/api/repos/create", body, author.token).status == 200
        with ThreadPoolExecutor(3) as threads:
            ran = list(threads.map(lambda name: author.run("release", folders[name], f"author/{name}"), folders))
        assert [one.code for one in ran] == [0, 0, 0], "\n".join(one.err for one in ran) + hub.log[-3000:]
        for name, folder in folders.items():
            served = hub.get(f"/author/{name}/resolve/main/config.json")
            assert (served.status, served.data) == (200, (folder / "config.json").read_bytes())
            assert hub.get(f"/author/{name}/resolve/main/model.safetensors", author.token).status in (200, 302)
        with psycopg.connect(postgres_url) as connection:
            commits = connection.execute("SELECT COUNT(*) FROM git_commit WHERE kind = 'release'").fetchone()
            entries = connection.execute("SELECT COUNT(*), COUNT(DISTINCT dedup_key) FROM log_entry").fetchone()
        assert commits == (3,)
        assert entries == (15, 15)
        assert [path for path in (hub.data / "incoming").iterdir() if path.name.startswith("inspect-")] == []
    finally:
        second.send_signal(signal.SIGTERM)
        output, _ = second.communicate(timeout=60)
        problem = hub.stop()
    assert second.returncode == 0, output.decode()
    assert problem == ""
