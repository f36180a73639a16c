"""`weighbridge release`, `approve`, `reject`, `withdraw` against a real hub: what works, and what is refused."""

from __future__ import annotations

import os
import resource
import secrets
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.releasing import Person, write_model
from tests.running import RunningHub
from weighbridge.cli.hub_client import HubClient, parse_repo
from weighbridge.cli.releasing.folder import walk
from weighbridge.cli.releasing.memory import Memory
from weighbridge.cli.releasing.sending import Sender
from weighbridge.cli.releasing.waiting import why_still
from weighbridge.errors import UnreadableFile

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
BIG = 24 << 20


@pytest.fixture
def person(running_hub: RunningHub, tmp_path: Path):
    def make(*roles: str, scopes: str = "read write approve") -> tuple[str, Person]:
        name = f"p{secrets.token_hex(4)}"
        home = tmp_path / name
        home.mkdir()
        return name, Person(running_hub, running_hub.user(name, scopes, roles), home)

    return make


def incoming(hub: RunningHub) -> list[str]:
    return [path.name for path in (hub.data / "incoming").iterdir()]


def test_a_folder_is_released_and_the_same_again_is_the_same_release(person, tmp_path: Path) -> None:
    name, author = person()
    folder = write_model(tmp_path / "m", secrets.token_bytes(64))
    first = author.run("release", folder, f"{name}/m", "--json")
    assert first.code == 0, first.err
    assert (first.json["state"], first.json["number"], first.json["current"]["weights"]) == ("released", 1, "public")
    assert [stage["name"] for stage in first.json["stages"]] == [
        "receive", "inspect", "document", "decide", "approve", "sign", "log", "publish",
    ]  # fmt: skip
    assert "inspect" in first.err and "no finding" in first.err
    again = author.run("release", folder, f"{name}/m", "--json")
    assert again.code == 0
    assert (again.json["commit"], again.json["number"]) == (first.json["commit"], 1)
    assert incoming(author.hub) == []


def test_the_gate_waits_for_two_approvals_and_says_so(person, tmp_path: Path) -> None:
    name, author = person()
    folder = write_model(tmp_path / "m")
    waiting = author.run("release", folder, f"{name}/m", "--policy", "responsible", "--no-wait", "--json")
    assert (waiting.code, waiting.json["state"]) == (3, "waiting"), waiting.err
    assert "Two reviewers other than the author agree (0 of 2 approvals)" in waiting.err
    assert f"weighbridge approve {name}/m@1" in waiting.err
    assert author.run("approve", f"{name}/m").code == 5
    for reviewer in (person("reviewer")[1], person("reviewer")[1]):
        said = reviewer.run("approve", f"{name}/m@1", "--digest", waiting.json["digest"], "--json")
        assert said.code == 0, said.err
    done = author.run("release", folder, f"{name}/m", "--policy", "responsible", "--json")
    assert (done.code, done.json["state"], len(done.json["approvals"])) == (0, "released", 2), done.err
    assert done.json["log"]["position"] >= 0
    kinds = [statement["kind"] for statement in done.json["statements"]]
    assert sorted(kinds) == sorted(
        ["inspection", "documents", *(2 * ["account-key", "approval"]), "decision", "intent", "effect"]
    )


def test_one_no_refuses_and_its_reason_is_for_insiders(person, tmp_path: Path) -> None:
    name, author = person()
    folder = write_model(tmp_path / "m")
    assert author.run("release", folder, f"{name}/m", "--policy", "responsible", "--no-wait").code == 3
    said = person("reviewer")[1].run("reject", f"{name}/m@1", "--reason", "licence is wrong")
    assert said.code == 0, said.err
    done = author.run("release", folder, f"{name}/m", "--policy", "responsible", "--no-wait", "--json")
    # The refused one is over: the same wish is a new release, which waits anew.
    assert (done.code, done.json["number"]) == (3, 2)
    refused = author.hub.get(f"/api/weighbridge/v1/repos/models/{name}/m/releases/1", author.token).json()
    assert (refused["state"], refused["approvals"][0]["reason"]) == ("refused", "licence is wrong")


def test_a_digest_that_is_not_the_releases_is_not_approved(person, tmp_path: Path) -> None:
    name, author = person()
    folder = write_model(tmp_path / "m")
    assert author.run("release", folder, f"{name}/m", "--policy", "responsible", "--no-wait").code == 3
    reviewer = person("reviewer")[1]
    assert reviewer.run("approve", f"{name}/m@1", "--digest", "0" * 64).code == 1
    body = {"release_digest": "0" * 64, "verdict": "approve", "weights": "public", "inference": "public"}
    path = f"/api/weighbridge/v1/repos/models/{name}/m/releases/1"
    assert reviewer.hub.send("POST", f"{path}/approvals", body, reviewer.token).status == 412
    digest = reviewer.hub.get(path, reviewer.token).json()["digest"]
    body = {"release_digest": digest, "verdict": "approve", "weights": "gated", "inference": "public"}
    assert reviewer.hub.send("POST", f"{path}/approvals", body, reviewer.token).status == 412
    assert author.hub.get(path, author.token).json()["approvals"] == []


def test_a_blocking_finding_refuses_and_names_the_file(person, tmp_path: Path) -> None:
    name, author = person()
    folder = write_model(tmp_path / "m")
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[:-8])
    done = author.run("release", folder, f"{name}/m", "--json", "--no-document")
    assert (done.code, done.json["state"], done.json["commit"]) == (1, "refused", None), done.err
    assert "model.safetensors" in done.err
    assert author.hub.get(f"/{name}/m/resolve/main/model.safetensors").status in (401, 404)


def test_withdrawn_is_gone_at_once(person, tmp_path: Path) -> None:
    name, author = person()
    folder = write_model(tmp_path / "m")
    assert author.run("release", folder, f"{name}/m").code == 0
    assert author.hub.get(f"/{name}/m/resolve/main/config.json").status == 200
    assert person()[1].run("withdraw", f"{name}/m@1", "--reason", "no").code == 5
    gone = author.run("withdraw", f"{name}/m@1", "--reason", "trained on private data", "--json")
    assert (gone.code, gone.json["state"]) == (0, "withdrawn"), gone.err
    answer = author.hub.get(f"/{name}/m/resolve/main/config.json")
    assert answer.status == 403
    assert answer.headers["X-Error-Message"] == "Access to this resource is disabled."


def test_a_wrong_token_changes_nothing(person, tmp_path: Path) -> None:
    name, author = person()
    folder = write_model(tmp_path / "m")
    stranger = Person(author.hub, "wb_" + "x" * 40, author.home)
    refused = stranger.run("release", folder, f"{name}/m")
    assert refused.code == 5
    assert "error: could not" in refused.err and "HF_TOKEN" in refused.err
    assert author.hub.get(f"/api/models/{name}/m", author.token).status == 404
    author.extra["HF_TOKEN"] = ""
    assert author.run("release", folder, f"{name}/m").code == 5


def test_no_hub_is_exit_4(person, tmp_path: Path) -> None:
    name, author = person()
    folder = write_model(tmp_path / "m")
    ran = author.run("release", folder, f"{name}/m", "--hub", "http://127.0.0.1:9")
    assert ran.code == 4
    assert "could not reach the hub at http://127.0.0.1:9: Failed to establish a new connection" in ran.err


def test_another_namespace_cannot_be_written(person, tmp_path: Path) -> None:
    _, author = person()
    other, _ = person()
    ran = author.run("release", write_model(tmp_path / "m"), f"{other}/m")
    assert ran.code in (1, 5), ran.err
    assert author.hub.get(f"/api/models/{other}/m", author.token).status == 404


@pytest.mark.parametrize("problem", ["link-out", "dangling", "reserved", "fifo", "empty"])
def test_a_folder_that_cannot_be_released_is_exit_6(person, tmp_path: Path, problem: str) -> None:
    name, author = person()
    folder = write_model(tmp_path / "m")
    secret = tmp_path / "secret.bin"
    secret.write_bytes(b"mine")
    bad = folder / "bad.bin"
    match problem:
        case "link-out":
            bad.symlink_to(secret)
        case "dangling":
            bad.symlink_to(folder / "nowhere")
        case "reserved":
            bad = folder / "model.sig"
            bad.write_text("{}")
        case "fifo":
            os.mkfifo(bad)
        case _:
            folder = tmp_path / "none"
            folder.mkdir()
            bad = folder
    ran = author.run("release", folder, f"{name}/m", "--no-document")
    assert ran.code == 6, ran.err
    assert bad.name in ran.err
    assert author.hub.get(f"/api/models/{name}/m", author.token).status == 404


def test_what_clients_leave_lying_about_is_left_out(person, tmp_path: Path) -> None:
    name, author = person()
    folder = write_model(tmp_path / "m")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("x")
    (folder / ".cache" / "huggingface").mkdir(parents=True)
    (folder / ".cache" / "huggingface" / "x").write_text("x")
    (folder / ".DS_Store").write_text("x")
    ran = author.run("release", folder, f"{name}/m")
    assert ran.code == 0, ran.err
    for left in (".git", ".cache/huggingface", ".DS_Store"):
        assert f"left out {left}" in ran.err
    assert author.hub.get(f"/{name}/m/resolve/main/.DS_Store").status == 404


def test_a_killed_client_goes_on_where_it_was(person, tmp_path: Path) -> None:
    name, author = person()
    folder = write_model(tmp_path / "m", secrets.token_bytes(BIG))
    assert author.run("release", write_model(tmp_path / "first"), f"{name}/m").code == 0  # makes the repo
    driver = [sys.executable, "-m", "tests.crash.drive_client", str(folder), f"{name}/m", str(16 << 20)]
    killed = subprocess.run(driver, env=author.env, cwd=ROOT, capture_output=True, timeout=60)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    (half,) = [path for path in (author.hub.data / "incoming").iterdir() if path.suffix != ".json"]
    assert 0 < half.stat().st_size < BIG
    kept = half.stat().st_size
    done = author.run("release", folder, f"{name}/m", "--json")
    assert (done.code, done.json["number"]) == (0, 2), done.err
    assert incoming(author.hub) == []
    sent = next(line for line in done.err.splitlines() if line.startswith("+ send"))
    megabytes = float(sent.split(" MB sent")[0].rpartition(" ")[2])
    assert megabytes * 1e6 <= BIG - kept + (1 << 20)


def test_a_full_disk_is_said_and_leaves_nothing(start_hub, tmp_path: Path) -> None:
    hub: RunningHub = start_hub()
    author = Person(hub, hub.user("author"), tmp_path / "home")
    author.home.mkdir()
    folder = write_model(tmp_path / "m", secrets.token_bytes(BIG))
    resource.prlimit(hub.pid, resource.RLIMIT_FSIZE, (8 << 20, resource.RLIM_INFINITY))
    full = author.run("release", folder, "author/m")
    assert full.code == 1, full.err
    assert "could not write what was sent" in full.err and "Free space" in full.err
    assert incoming(hub) == []
    assert hub.get("/api/weighbridge/v1/repos/models/author/m/releases", author.token).json() == {"releases": []}
    resource.prlimit(hub.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    done = author.run("release", folder, "author/m")
    assert done.code == 0, done.err


def test_a_file_that_changes_while_it_is_sent_is_named_and_nothing_is_put_forward(person, tmp_path: Path) -> None:
    name, author = person()
    folder = write_model(tmp_path / "m", secrets.token_bytes(BIG))
    assert author.run("release", write_model(tmp_path / "first"), f"{name}/m").code == 0
    weights = folder / "model.safetensors"

    def change(_: object, size_bytes: int) -> None:
        with weights.open("r+b") as file:
            file.seek(BIG // 2)
            file.write(b"changed")

    memory = Memory.open({"XDG_CACHE_HOME": str(tmp_path / "cache")})
    client = HubClient(author.hub.url, author.token)
    sender = Sender(client, parse_repo(f"{name}/m", "model").path, memory, on_bytes=change)
    with pytest.raises(UnreadableFile, match=r"could not release model\.safetensors: it changed while it was read"):
        sender.send_all(walk(folder).files)
    memory.close()
    assert (
        author.hub.get(f"/api/weighbridge/v1/repos/models/{name}/m/releases", author.token).json()["releases"][0][
            "number"
        ]
        == 1
    )


def test_a_worker_that_does_nothing_is_not_waited_for_in_silence(start_hub, tmp_path: Path) -> None:
    hub: RunningHub = start_hub()
    author = Person(hub, hub.user("author"), tmp_path / "home")
    author.home.mkdir()
    worker = hub.worker_pid
    assert worker is not None
    os.kill(worker, signal.SIGSTOP)
    command = [sys.executable, "-m", "weighbridge.cli.main", "release", str(write_model(tmp_path / "m")), "author/m"]
    with subprocess.Popen(command, env=author.env, stderr=subprocess.PIPE, text=True) as release:
        assert release.stderr is not None
        try:
            said = next(line for line in release.stderr if line.startswith("~ worker"))
        finally:
            os.kill(worker, signal.SIGCONT)
        rest = release.stderr.read()
    assert "no stage" in said
    assert "The release is kept" in rest
    assert "released author/m release 1" in rest
    assert release.returncode == 0


@pytest.mark.parametrize("word", ["late", "unknown"])
def test_a_worker_that_is_away_is_named_with_what_to_do(word: str) -> None:
    said = why_still(word, is_at_work=True)
    assert "has not been seen" in said and "weighbridge worker" in said
    assert why_still("ok", is_at_work=True) == ""


def test_warnings_of_the_policy_are_told_and_nothing_missing_is_not(person, tmp_path: Path) -> None:
    name, author = person()
    words = ("release", write_model(tmp_path / "m"), f"{name}/m", "--policy", "responsible")
    assert "warning, stops nothing: not met: Opened in steps" in author.run(*words, "--no-wait").err
    command = [sys.executable, "-m", "weighbridge.cli.main", *map(str, words)]
    with subprocess.Popen(command, env=author.env, stderr=subprocess.PIPE, text=True) as waits:
        for reviewer in (person("reviewer")[1], person("reviewer")[1]):
            assert reviewer.run("approve", f"{name}/m@1").code == 0
        _, said = waits.communicate(timeout=60)
    lines = said.splitlines()
    heads = [number for number, line in enumerate(lines) if line.endswith("What is missing:")]
    assert all(lines[number + 1].strip().startswith("- ") for number in heads), said


def test_a_looser_policy_than_the_namespaces_is_refused(start_hub, tmp_path: Path) -> None:
    hub: RunningHub = start_hub(default_policy="responsible")
    author = Person(hub, hub.user("author"), tmp_path / "home")
    author.home.mkdir()
    ran = author.run("release", write_model(tmp_path / "m"), "author/m", "--policy", "open")
    assert ran.code == 1, ran.err
    assert "a release may only be stricter" in ran.err
    assert author.run("release", tmp_path / "m", "author/m", "--no-wait").code == 3
