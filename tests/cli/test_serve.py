"""`weighbridge serve` as a real process tree: start, first token, stop, restart, refusals, a worker that dies."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import urllib3

from tests.conftest import StartHub
from tests.running import RunningHub

TOKEN = "an-admin-token-of-automation"


def until(what: Callable[[], object], seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "did not come true"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def serve(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("WEIGHBRIDGE_")}
    command = [sys.executable, "-m", "weighbridge.cli.main", "serve", *words]
    return subprocess.run(command, env={**clean, **env}, capture_output=True, text=True, timeout=60)


@pytest.mark.slow
def test_a_hub_is_up_and_says_who_it_is(running_hub: RunningHub) -> None:
    assert running_hub.get("/healthz").data == b"ok\n"
    ready = running_hub.get("/readyz")
    assert (ready.status, ready.json()["status"]) == (200, "ready")
    assert ready.headers["cache-control"] == "no-store"
    trust = running_hub.get("/.well-known/weighbridge/trust_config.json")
    assert trust.json()["hub"] == running_hub.url
    again = running_hub.get(
        "/.well-known/weighbridge/trust_config.json", headers={"If-None-Match": trust.headers["etag"]}
    )
    assert (again.status, again.data) == (304, b"")
    assert running_hub.get("/api/whoami-v2", running_hub.admin_token).json()["name"] == "admin"
    assert running_hub.get("/healthz", method="HEAD").data == b""


@pytest.mark.slow
def test_metrics_count_requests_and_tell_releases_to_keepers_only(running_hub: RunningHub) -> None:
    def answered() -> float:
        text = running_hub.get("/metrics").data.decode()
        found = re.search(r'requests_total\{method="GET",route="/healthz",status="200"\} (\S+)', text)
        return float(found[1]) if found else 0.0

    before = answered()
    for _ in range(3):
        running_hub.get("/healthz")
    assert answered() == before + 3
    anonymous = running_hub.get("/metrics")
    assert anonymous.headers["content-type"].startswith("text/plain")
    assert b"weighbridge_releases" not in anonymous.data
    assert b"weighbridge_releases" not in running_hub.get("/metrics", running_hub.user("metrics-reader")).data
    assert b"sent_bytes" not in anonymous.data  # it grows by the size of what others download
    assert b"weighbridge_http_sent_bytes" in running_hub.get("/metrics", running_hub.admin_token).data
    assert b"# TYPE weighbridge_releases gauge" in running_hub.get("/metrics", running_hub.admin_token).data
    assert (
        b"# TYPE weighbridge_releases gauge"
        in running_hub.get("/metrics", running_hub.user("metrics-auditor", "read", roles=["auditor"])).data
    )
    assert running_hub.get("/metrics", "wb_wrong-token-0123456789").status == 401


@pytest.mark.slow
def test_paths_that_nobody_serves_do_not_grow_the_metrics(running_hub: RunningHub) -> None:
    for n in range(30):
        running_hub.get(f"/nobody-{n}/model-{n}")
        running_hub.get(f"/api/nothing-{n}")
    text = running_hub.get("/metrics").data.decode()
    assert "nobody-" not in text
    assert "nothing-" not in text


@pytest.mark.slow
def test_the_first_start_prints_one_token_and_later_ones_none(tmp_path: Path) -> None:
    tokens = []
    for _ in range(2):
        command = [
            sys.executable,
            "-m",
            "weighbridge.cli.main",
            "serve",
            "--data",
            str(tmp_path),
            "--port",
            "0",
            "--json",
        ]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("WEIGHBRIDGE_")}
        log = (tmp_path / "err.log").open("ab")
        with log, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, env=clean, text=True) as process:
            assert process.stdout is not None
            said = json.loads(process.stdout.readline())
            token = said["admin_token"] or tokens[0]
            tokens.append(token)
            answer = urllib3.request(
                "GET", said["url"] + "/api/whoami-v2", headers={"Authorization": f"Bearer {token}"}
            )
            assert answer.json()["name"] == "admin"
            process.send_signal(signal.SIGINT)
            assert process.wait(40) == 0
        assert said["admin_token"] is None or len(tokens) == 1
    assert tokens[0] == tokens[1]
    assert tokens[0].startswith("wb_")
    assert tokens[0] not in (tmp_path / "err.log").read_text()


@pytest.mark.slow
def test_stopping_leaves_nothing_running_and_starting_again_goes_on(start_hub: StartHub, tmp_path: Path) -> None:
    hub = start_hub(tmp_path / "hub")
    token = hub.user("alice")
    pids = [hub.pid, hub.worker_pid]
    assert all(pid is not None and alive(pid) for pid in pids)
    said = json.loads((hub.data / "hub.json").read_text())
    assert (said["url"], said["pid"]) == (hub.url, hub.pid)
    assert (hub.data / "hub.json").stat().st_mode & 0o077 == 0
    assert hub.stop() == ""
    until(lambda: not any(alive(pid) for pid in pids if pid))
    assert not (hub.data / "hub.json").exists()
    hub.start()
    assert hub.get("/api/whoami-v2", token).json()["name"] == "alice"


@pytest.mark.slow
def test_the_worker_stops_when_serve_is_killed(start_hub: StartHub) -> None:
    hub = start_hub()
    worker = hub.worker_pid
    assert worker is not None
    hub.stop(signal.SIGKILL)
    until(lambda: not alive(worker))
    hub.start()
    assert hub.get("/readyz").status == 200


@pytest.mark.slow
def test_a_worker_that_dies_is_started_again_and_downloads_go_on(start_hub: StartHub) -> None:
    hub = start_hub()
    first = hub.worker_pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    until(lambda: "worker died" in hub.log)
    assert hub.get("/readyz").status == 200
    until(lambda: child_of(hub.pid) not in (None, first))
    assert hub.stop() == ""


def child_of(pid: int) -> int | None:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(children[0]) if children else None


@pytest.mark.slow
def test_a_folder_in_use_is_refused(running_hub: RunningHub) -> None:
    found = serve("--data", str(running_hub.data), "--port", "0")
    assert found.returncode == 2
    assert "another `weighbridge serve` runs on it" in found.stderr
    assert running_hub.url in found.stderr
    assert running_hub.get("/healthz").status == 200


@pytest.mark.slow
def test_a_port_in_use_is_refused_and_makes_no_hub(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        found = serve("--data", str(tmp_path / "hub"), "--port", str(other.getsockname()[1]), "--json")
    assert found.returncode == 2
    assert "another process uses this port" in found.stderr
    assert json.loads(found.stdout)["code"] == "InvalidInput"
    assert not (tmp_path / "hub" / "metadata.sqlite").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "env", "said"),
    [
        (["--data", "{tmp}/file/hub"], {}, "could not make the data folder"),
        (["--data", "{tmp}/hub"], {"WEIGHBRIDGE_ADMIN_TOKEN": "short"}, "could not use admin_token"),
        (
            ["--data", "{tmp}/hub", "--host", "no.such.host.invalid"],
            {},
            "could not listen on no.such.host.invalid:8720",
        ),
        (["--data", "{tmp}/hub", "--config", "{tmp}/no.toml"], {}, "does not exist"),
        (["--data", "{tmp}/hub", "--port", "0", "--default-policy", "nosuch"], {}, "no such policy"),
        (["--data", "{tmp}/hub", "--port", "0"], {"WEIGHBRIDGE_DATABASE_URL": "mysql://h/d"}, "database_url"),
    ],
)
def test_what_cannot_work_is_said_before_anything_starts(
    tmp_path: Path, words: list[str], env: dict[str, str], said: str
) -> None:
    (tmp_path / "file").write_text("not a folder")
    found = serve(*(word.replace("{tmp}", str(tmp_path)) for word in words), **env)
    assert found.returncode == 2
    assert said in found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.slow
def test_a_blobs_node_serves_files_and_nothing_else(start_hub: StartHub) -> None:
    hub = start_hub(role="blobs", wait_ready=False)
    assert hub.worker_pid is None
    assert hub.get("/healthz").status == 200
    assert hub.get("/readyz").json()["trust"] == "missing"
    for path in ("/", "/api/models", "/api/whoami-v2"):
        answer = hub.get(path, hub.admin_token)
        assert (answer.status, answer.json()["code"]) == (404, "NotFound")
    assert hub.get("/a/b/resolve/main/f", method="POST").status == 404


@pytest.mark.slow
def test_the_web_process_imports_no_workflow_engine_and_no_keys() -> None:
    script = (
        "import sys; import weighbridge.http.app, weighbridge.http.server;"
        "print([m for m in ('dbos', 'sqlalchemy', 'weighbridge.evidence.keys') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert found.stdout == "[]\n", found.stderr
