"""`weighbridge doctor`: each thing that is wrong is named, with what to do."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from tests.cli.test_main import call
from tests.running import RunningHub
from weighbridge.bootstrap import Hub


def doctor(data: Path, *words: str, code: int = 0, env: dict[str, str] | None = None) -> dict[str, dict[str, str]]:
    found = call(
        "doctor", "--data", str(data), "--json", *words, env={"HF_ENDPOINT": "", "WEIGHBRIDGE_PORT": "0", **(env or {})}
    )
    assert found.returncode == code, found.stdout + found.stderr
    said = json.loads(found.stdout)
    assert said["ok"] == (code == 0)
    return {line["check"]: line for line in said["checks"]}


@pytest.mark.slow
def test_a_running_hub_is_well(running_hub: RunningHub) -> None:
    lines = doctor(running_hub.data, env={"HF_ENDPOINT": running_hub.url})
    wrong = [
        line for line in lines.values() if line["state"] != "ok" and line["check"] not in ("sandbox", "free space")
    ]
    assert wrong == []
    assert lines["sandbox"]["state"] in ("ok", "warn")
    assert running_hub.url in lines["port"]["detail"]
    text = call("doctor", "--data", str(running_hub.data)).stdout
    assert "ok    database" in text


def test_a_new_folder_is_no_failure(tmp_path: Path) -> None:
    lines = doctor(tmp_path / "new", env={"WEIGHBRIDGE_PORT": "0"})
    assert {name for name, line in lines.items() if line["state"] == "warn"} >= {
        "data folder",
        "keys",
        "database",
        "blobs",
    }
    assert not (tmp_path / "new").exists(), "doctor changes nothing"


def test_loose_keys(hub: Hub) -> None:
    key = hub.settings.keys_dir / "release.pem"
    key.write_text("key")
    key.chmod(0o640)
    line = doctor(hub.settings.data, code=1)["keys"]
    assert (line["state"], line["detail"]) == ("fail", "others may read keys/release.pem")
    assert "chmod 600" in line["remedy"]
    key.chmod(0o600)
    assert doctor(hub.settings.data)["keys"]["state"] == "ok"


def test_a_folder_that_others_may_enter(hub: Hub) -> None:
    hub.settings.data.chmod(0o755)
    assert doctor(hub.settings.data)["data folder"]["state"] == "warn"


def test_a_database_of_a_newer_version(hub: Hub) -> None:
    import sqlite3

    with sqlite3.connect(hub.settings.metadata_path) as connection:
        connection.execute("INSERT INTO schema_version (version) VALUES (9999)")
    connection.close()
    assert "newer" in doctor(hub.settings.data, code=1)["database"]["detail"]


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "metadata.sqlite").write_bytes(b"this is not a database" * 100)
    assert doctor(tmp_path, code=1)["database"]["state"] == "fail"


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        env = {"WEIGHBRIDGE_PORT": str(other.getsockname()[1])}
        assert doctor(tmp_path, code=1, env=env)["port"]["state"] == "fail"


def test_a_hub_that_cannot_be_reached(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    line = doctor(tmp_path, code=1, env={"HF_ENDPOINT": f"http://127.0.0.1:{port}"})["hub"]
    assert line["state"] == "fail"
    assert line["remedy"]


@pytest.mark.parametrize(
    ("url", "state"),
    [("http://models.example.org", "warn"), ("https://models.example.org", "ok"), ("http://[::1]:8720", "ok")],
)
def test_a_public_url_in_clear_is_warned_of(tmp_path: Path, url: str, state: str) -> None:
    line = doctor(tmp_path, env={"WEIGHBRIDGE_PORT": "0", "WEIGHBRIDGE_PUBLIC_URL": url})["public url"]
    assert (line["state"], "https" in line["remedy"]) == (state, state == "warn")


def test_an_open_address_without_a_public_url(tmp_path: Path) -> None:
    line = doctor(tmp_path, env={"WEIGHBRIDGE_HOST": "0.0.0.0", "WEIGHBRIDGE_PORT": "0"})["port"]
    assert (line["state"], "public_url" in line["remedy"]) == ("warn", True)


def test_a_folder_that_cannot_be_written() -> None:
    # Nobody may, root included.
    line = doctor(Path("/proc/self"), code=1)["data folder"]
    assert (line["state"], "cannot be written" in line["detail"]) == ("fail", True)


def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert doctor(tmp_path / "file", code=1)["data folder"]["state"] == "fail"
