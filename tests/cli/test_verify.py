"""The command as a person runs it: on folders, and against a server that answers as a hub does, or does not."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from tests.evidence.made import HUB, REPO, REVIEWERS, Made, trust_text
from tests.running import RunningHub
from weighbridge.cli.main import run
from weighbridge.cli.verify import _decide
from weighbridge.evidence.trust import fingerprint, pin, pin_folder
from weighbridge.policy import ready_policy

OID = "c0ffee" + "0" * 34


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("HF_TOKEN", "HF_ENDPOINT", "WEIGHBRIDGE_HUB", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    return tmp_path / "config"


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """A release under a policy that the product's own engine evaluates."""
    return Made(tmp_path / "tiny", policy=ready_policy("open"), reviewers=REVIEWERS, decide=_decide).write()


@pytest.fixture
def trust_file(tmp_path: Path) -> Path:
    path = tmp_path / "trust.json"
    path.write_text(trust_text(), encoding="utf-8")
    return path


def test_a_folder_is_verified_with_a_trust_file(
    made: Made, trust_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["verify", str(made.folder), "--trust", str(trust_file)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"trust root {fingerprint(trust_text())} (from {trust_file})"
    assert [line.split()[0] for line in lines[1:-1]] == ["ok"] * 9
    assert lines[-1].startswith(f"verified: {REPO}") and "release@hub.test:8443" in lines[-1]


def test_as_json_it_says_who_signed_and_each_check(
    made: Made, trust_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["verify", str(made.folder), "--trust", str(trust_file), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is True and found["signer"] == {"identity": "release@hub.test:8443", "issuer": HUB}
    assert found["release"]["digest"] == made.subject.digest
    assert all(set(check) == {"name", "ok", "detail"} and check["ok"] for check in found["checks"])
    assert found["trust"]["fingerprint"] == fingerprint(trust_text())


def test_a_flipped_byte_exits_with_1_and_names_the_file(
    made: Made, trust_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = made.folder / "model.safetensors"
    raw = bytearray(weights.read_bytes())
    raw[1000] ^= 1
    weights.write_bytes(raw)
    assert run(["verify", str(made.folder), "--trust", str(trust_file)]) == 1
    out = capsys.readouterr().out
    assert "FAIL  files            changed: model.safetensors" in out
    assert "NOT verified: 1 of 9 checks failed, files first" in out
    assert run(["verify", str(made.folder), "--trust", str(trust_file), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["ok"] is False


def test_the_policy_is_really_evaluated_again(tmp_path: Path, trust_file: Path, capsys: Any) -> None:
    def blocked(kind: str, statement: dict[str, Any]) -> dict[str, Any]:
        if kind == "inspection":
            statement["predicate"]["findings"][0]["severity"] = "block"
        if kind == "decision":
            statement["predicate"]["verificationResult"] = "PASSED"
        return statement

    made = Made(tmp_path / "tiny", policy=ready_policy("open"), decide=_decide, change=blocked).write()
    assert run(["verify", str(made.folder), "--trust", str(trust_file)]) == 1
    assert "evaluated again, the policy says no" in capsys.readouterr().out


def test_a_policy_that_is_none_fails_its_line(tmp_path: Path, trust_file: Path, capsys: Any) -> None:
    made = Made(tmp_path / "tiny").write()
    assert run(["verify", str(made.folder), "--trust", str(trust_file)]) == 1
    assert ".release/policy.yaml cannot be evaluated" in capsys.readouterr().out


def test_without_any_trust_it_says_how_to_get_some(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", str(made.folder)]) == 1
    said = capsys.readouterr().err
    assert "which no hub has that you trust" in said and "--trust FILE" in said and "fingerprint" in said


def test_the_pinned_trust_is_found_by_the_key_of_the_seal(
    made: Made, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pin(pin_folder({"XDG_CONFIG_HOME": str(config)}), "https://other.test", trust_text(hub_key="other"))
    assert run(["verify", str(made.folder)]) == 1
    pin(pin_folder({"XDG_CONFIG_HOME": str(config)}), HUB, trust_text())
    assert run(["verify", str(made.folder)]) == 0
    assert f"(pinned for {HUB})" in capsys.readouterr().out


def test_what_is_no_release_and_what_is_no_trust_file(tmp_path: Path, made: Made, capsys: Any) -> None:
    (tmp_path / "empty").mkdir()
    assert run(["verify", str(tmp_path / "empty")]) == 1
    assert "not a release of Weighbridge" in capsys.readouterr().err
    assert run(["verify", str(made.folder), "--trust", str(tmp_path / "none.json")]) == 6
    (tmp_path / "bad.json").write_text("{}")
    assert run(["verify", str(made.folder), "--trust", str(tmp_path / "bad.json")]) == 6
    assert run(["verify", "no-such-folder"]) == 2
    assert run(["verify", REPO]) == 2  # no hub is named


def test_names_do_not_speak_to_the_terminal(made: Made, trust_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (made.folder / "\x1b[2Jevil").write_bytes(b"")
    assert run(["verify", str(made.folder), "--trust", str(trust_file)]) == 1
    out = capsys.readouterr().out
    assert "?[2Jevil" in out and "\x1b" not in out


class Served:
    """What the server says; a test changes it."""

    def __init__(self, made: Made) -> None:
        self.made = made
        self.trust = trust_text()
        self.token = ""
        self.release: dict[str, Any] = {
            "number": 1, "state": "released", "commit": OID, "digest": made.subject.digest, "withdrawal": None,
        }  # fmt: skip
        self.answers: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {}
        self.seen: list[tuple[str, str | None]] = []

    def files(self) -> dict[str, bytes]:
        folder = self.made.folder
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _answer(handler: BaseHTTPRequestHandler, body: Any, status: int = 200, **headers: str) -> None:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(data)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(data)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    served: Served

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        path = unquote(url.path)
        self.served.seen.append((path, self.headers.get("Authorization")))
        if path in self.served.answers:
            return self.served.answers[path](self)
        if path.startswith("/.well-known"):
            return _answer(self, self.served.trust.encode())
        if self.served.token and self.headers.get("Authorization") != f"Bearer {self.served.token}":
            return _answer(self, {"error": "Repository not found"}, 404, X_Error_Code="RepoNotFound")
        if path.endswith("/releases"):
            return _answer(self, {"releases": [self.served.release] if self.served.release else []})
        if path.startswith(f"/api/models/{REPO}/revision/"):
            return _answer(self, {"id": REPO, "sha": OID})
        files = self.served.files()
        if path == f"/api/models/{REPO}/tree/{OID}":
            names = sorted(files)
            half = names[:6] if "cursor" not in url.query else names[6:]
            link = {"Link": f'<http://elsewhere.test{path}?cursor=1>; rel="next"'} if "cursor" not in url.query else {}
            items = [{"type": "file", "path": name, "size": len(files[name])} for name in half]
            return _answer(self, [{"type": "directory", "path": "sub", "size": 0}, *items], **link)
        prefix = f"/{REPO}/resolve/{OID}/"
        if path.startswith(prefix) and path.removeprefix(prefix) in files:
            return _answer(self, files[path.removeprefix(prefix)])
        return _answer(self, {"error": "Entry not found"}, 404, X_Error_Code="EntryNotFound")


@pytest.fixture
def served(made: Made, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    served = Served(made)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"served": served}))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_address[1]}")
    yield served
    server.shutdown()
    thread.join()
    server.server_close()


def _lines(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """Detail by name of the lines that failed."""
    found = json.loads(capsys.readouterr().out)
    return {check["name"]: check["detail"] for check in found["checks"] if not check["ok"]}


def test_a_release_on_its_hub_is_verified_and_the_trust_pinned_at_first_use(
    served: Served, capsys: pytest.CaptureFixture[str], config: Path
) -> None:
    assert run(["verify", REPO]) == 0, capsys.readouterr()
    out = capsys.readouterr().out
    assert f"trust root {fingerprint(trust_text())} (pinned for http://127.0.0.1" in out.splitlines()[0]
    assert "first use" in out and "release 1 is out, not withdrawn" in out
    assert run(["verify", REPO]) == 0
    assert "first use" not in capsys.readouterr().out
    assert run(["verify", str(served.made.folder)]) == 0  # offline, with what was pinned


@pytest.mark.parametrize("target", [f"{REPO}@1", f"{REPO}@main", f"{REPO}@{OID}", f"{REPO}@refs/releases/1"])
def test_a_revision_may_be_named(served: Served, target: str) -> None:
    assert run(["verify", target]) == 0
    named = target.partition("@")[2]
    wanted = f"/api/models/{REPO}/revision/{'refs/releases/1' if named == '1' else named}"
    assert wanted in [path for path, _ in served.seen]


def test_nothing_is_written_but_the_pin(served: Served, tmp_path: Path, config: Path) -> None:
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert run(["verify", REPO]) == 0
    after = {path for path in tmp_path.rglob("*") if path.is_file()} - before
    assert [path.parent for path in after] == [config / "weighbridge" / "trust"]


def test_a_byte_that_the_hub_changed_is_found(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    (served.made.folder / "config.json").write_bytes(b"{}")
    assert run(["verify", REPO, "--json"]) == 1
    assert _lines(capsys) == {"files": "changed: config.json"}


def test_a_withdrawn_release_fails_though_every_byte_is_right(
    served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    served.release |= {"state": "withdrawn", "withdrawal": {"reason": "a \x1b secret leaked"}}
    assert run(["verify", f"{REPO}@1", "--json"]) == 1
    assert _lines(capsys) == {"withdrawal": "release 1 is withdrawn: a ? secret leaked"}


def test_a_release_that_the_hub_does_not_list_fails(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    served.release["digest"] = "0" * 64
    assert run(["verify", f"{REPO}@1", "--json"]) == 1
    assert "shows no release" in _lines(capsys)["withdrawal"]


def test_a_hub_whose_trust_file_changed_fails(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", REPO, "--json"]) == 0
    capsys.readouterr()
    served.trust = trust_text(hub_key="other")
    assert run(["verify", REPO, "--json"]) == 1
    assert set(_lines(capsys)) == {"trust root"}


def test_the_trust_file_given_goes_before_the_pinned_one(
    served: Served, trust_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    served.trust = "nonsense"
    assert run(["verify", REPO, "--trust", str(trust_file)]) == 0
    assert f"(from {trust_file})" in capsys.readouterr().out


def test_a_release_of_another_repo_fails(served: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    served.made = Made(tmp_path / "other", repo="acme/other", policy=ready_policy("open"), decide=_decide).write()
    served.release["digest"] = served.made.subject.digest
    assert run(["verify", REPO, "--json"]) == 1
    assert _lines(capsys) == {"repo": f"the hub shows a release of acme/other as {REPO}"}


def test_the_readers_token_is_sent_to_the_hub(served: Served, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    served.token = "wb_reader"
    assert run(["verify", f"{REPO}@1"]) == 1  # hidden: the repo does not exist for who is not logged in
    (tmp_path / "hf").mkdir()
    (tmp_path / "hf" / "token").write_text("wb_reader\n")
    assert run(["verify", f"{REPO}@1"]) == 0


def test_a_redirect_is_followed_without_the_token(served: Served, monkeypatch: pytest.MonkeyPatch, made: Made) -> None:
    monkeypatch.setenv("HF_TOKEN", "wb_reader")
    seen: list[str | None] = []
    elsewhere = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)

    class Elsewhere(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            seen.append(self.headers.get("Authorization"))
            _answer(self, (made.folder / "model.safetensors").read_bytes())

    elsewhere.RequestHandlerClass = Elsewhere
    thread = threading.Thread(target=elsewhere.serve_forever)
    thread.start()
    location = f"http://127.0.0.1:{elsewhere.server_address[1]}/signed"
    served.answers[f"/{REPO}/resolve/{OID}/model.safetensors"] = lambda handler: _answer(
        handler, b"", 302, Location=location
    )
    try:
        assert run(["verify", REPO]) == 0
    finally:
        elsewhere.shutdown()
        thread.join()
        elsewhere.server_close()
    assert seen == [None]


def test_a_connection_that_breaks_is_taken_up_where_it_broke(served: Served, made: Made) -> None:
    whole = (made.folder / "model.safetensors").read_bytes()
    ranges: list[str | None] = []

    def break_off(handler: BaseHTTPRequestHandler) -> None:
        ranges.append(handler.headers.get("Range"))
        start = int((handler.headers.get("Range") or "bytes=0-")[6:-1])
        rest = whole[start:]
        handler.send_response(206 if start else 200)
        handler.send_header("Content-Length", str(len(rest)))
        handler.end_headers()
        handler.wfile.write(rest if len(ranges) > 2 else rest[:20_000])
        handler.close_connection = True

    served.answers[f"/{REPO}/resolve/{OID}/model.safetensors"] = break_off
    assert run(["verify", REPO]) == 0
    assert ranges[0] is None and len(ranges) == 3 and all(one for one in ranges[1:])


def test_a_hub_that_cannot_be_reached_or_answers_nonsense_exits_with_4(
    served: Served, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    revision = f"/api/models/{REPO}/revision/main"
    for body in (b"<html>", b"[]", b"{}", b'{"id": "acme/else", "sha": "0"}'):
        served.answers[revision] = lambda handler, body=body: _answer(handler, body)
        assert run(["verify", f"{REPO}@main"]) == 4
    served.answers[revision] = lambda handler: _answer(handler, b"", 302, Location=revision)
    assert run(["verify", f"{REPO}@main"]) == 4
    assert "redirects in circles" in capsys.readouterr().err
    del served.answers[revision]
    tree = f"/api/models/{REPO}/tree/{OID}"
    for page in ({}, [1], [{"type": "file"}], [{"type": "x", "path": "a", "size": 1}]):
        served.answers[tree] = lambda handler, page=page: _answer(handler, page)
        assert run(["verify", f"{REPO}@main"]) == 4
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert run(["verify", REPO]) == 4


def test_refusals_of_the_hub_are_said_in_its_words(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    revision = f"/api/models/{REPO}/revision/main"
    served.answers[revision] = lambda handler: _answer(
        handler, {"error": "Access to this resource is disabled.", "advisory": {}}, 403, X_Error_Code="WithdrawnRelease"
    )
    assert run(["verify", f"{REPO}@main"]) == 1
    assert "Access to this resource is disabled." in capsys.readouterr().err
    body = {
        "error": "Access to this resource is disabled.",
        "advisory": {"id": "WB-1", "summary": "Release 1 was withdrawn", "details": "a \x1b leak"},
    }
    served.answers[revision] = lambda handler: _answer(handler, body, 403, X_Error_Code="WithdrawnRelease")
    assert run(["verify", f"{REPO}@main"]) == 1
    said = capsys.readouterr().err
    assert "could not read it: Release 1 was withdrawn: a   leak" in said and "WB-1" in said
    served.answers[revision] = lambda handler: _answer(handler, {"error": "gated"}, 403, X_Error_Code="GatedRepo")
    assert run(["verify", f"{REPO}@main"]) == 5


def test_the_hashes_are_those_of_the_bytes(served: Served) -> None:
    import os

    from weighbridge.cli.verify_remote import Commit, HubReader

    held = HubReader(os.environ["HF_ENDPOINT"], token=None).hash_release(Commit(repo=REPO, oid=OID))
    files = served.files()
    assert held.sha256 == {path: hashlib.sha256(data).hexdigest() for path, data in files.items()}
    assert set(held.proof) == {path for path in files if path == "model.sig" or path.startswith(".release/")}


def test_a_folder_may_ask_the_hub_about_a_withdrawal(served: Served, trust_file: Path, capsys: Any) -> None:
    command = ["verify", str(served.made.folder), "--trust", str(trust_file), "--hub", os.environ["HF_ENDPOINT"]]
    assert run([*command, "--online"]) == 0
    assert "release 1 is out, not withdrawn" in capsys.readouterr().out
    served.release |= {"state": "withdrawn", "withdrawal": {"reason": "leak"}}
    assert run([*command, "--online", "--json"]) == 1
    assert _lines(capsys) == {"withdrawal": "release 1 is withdrawn: leak"}
    assert run(command) == 0  # offline nothing is known, and nothing claimed
    assert "withdraw" not in capsys.readouterr().out.replace("says nothing of a later withdrawal", "")


def _client(*words: str | Path, env: dict[str, str], module: str = "weighbridge.cli.main") -> tuple[int, str]:
    """Exit code and output of a command in a process of its own."""
    command = [sys.executable, "-m", module, *map(str, words)]
    result = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
    return result.returncode, result.stdout + result.stderr


@pytest.mark.slow
def test_a_release_through_the_whole_house_is_verified_and_its_withdrawal_seen(
    running_hub: RunningHub, tmp_path: Path
) -> None:
    author, reviewers = running_hub.user("vera"), [running_hub.user(name) for name in ("vito", "viola")]
    reviewer = {"vito": "reviewer", "viola": "reviewer"}
    running_hub.organisation("verifiers", {"vera": "write", **reviewer}, policy="responsible")
    base = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "WEIGHBRIDGE_"))}
    base |= {
        "HF_ENDPOINT": running_hub.url,
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "HF_HOME": str(tmp_path / "hf"),
    }
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "config.json").write_text('{"architectures": ["LlamaForCausalLM"], "model_type": "llama"}')
    (folder / "README.md").write_text("---\nlicense: apache-2.0\n---\n# Tiny\n")
    header = json.dumps({"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}).encode()
    header += b" " * (-len(header) % 8)
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(16))

    put = ["release", folder, "verifiers/tiny"]
    code, said = _client(*put, "--no-wait", env=base | {"HF_TOKEN": author})
    assert code == 3, said
    for token in reviewers:
        code, said = _client("approve", "verifiers/tiny", "--reason", "fine", env=base | {"HF_TOKEN": token})
        assert code == 0, said
    code, said = _client(*put, env=base | {"HF_TOKEN": author})
    assert code == 0, said

    code, said = _client("verify", "verifiers/tiny", env=base)
    assert code == 0 and "first use" in said, said
    downloaded = tmp_path / "downloaded"
    code, said = _client(
        "download", "verifiers/tiny", "--local-dir", downloaded, env=base, module="huggingface_hub.cli.hf"
    )
    assert code == 0, said
    code, said = _client("verify", downloaded, env=base | {"HF_ENDPOINT": "http://127.0.0.1:9"})
    assert (
        code == 0
        and "2 by distinct accounts" in said
        and "policy responsible evaluated again on the same facts: passed" in said
    ), said
    raw = bytearray((downloaded / "model.safetensors").read_bytes())
    raw[-1] ^= 1
    (downloaded / "model.safetensors").write_bytes(raw)
    code, said = _client("verify", downloaded, env=base)
    assert code == 1 and "changed: model.safetensors" in said, said
    raw[-1] ^= 1
    (downloaded / "model.safetensors").write_bytes(raw)

    code, said = _client(
        "withdraw", "verifiers/tiny@1", "--reason", "a secret leaked", env=base | {"HF_TOKEN": running_hub.admin_token}
    )
    assert code == 0, said
    for token in ({}, {"HF_TOKEN": author}):
        code, said = _client("verify", "verifiers/tiny", env=base | token)
        assert (code, "was withdrawn: a secret leaked" in said) == (1, True), said
    code, said = _client("verify", "verifiers/tiny@1", env=base)
    assert code == 1, said
    code, said = _client("verify", downloaded, "--online", env=base)
    assert code == 1 and "FAIL  withdrawal" in said, said
    code, said = _client("verify", downloaded, env=base)
    assert code == 0, said


def test_a_folder_is_verified_at_first_use_with_the_trust_of_the_hub_that_is_named(
    served: Served, made: Made, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["verify", str(made.folder)]) == 0
    assert "at first use" in capsys.readouterr().out
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    monkeypatch.delenv("WEIGHBRIDGE_HUB", raising=False)
    assert run(["verify", str(made.folder)]) == 0
    assert "at first use" not in capsys.readouterr().out


def test_a_named_hub_without_the_key_of_the_seal_is_not_pinned(
    served: Served, made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    served.trust = trust_text(hub_key="another")
    assert run(["verify", str(made.folder)]) == 1
    assert "which no hub has that you trust" in capsys.readouterr().err
    assert not list(tmp_path.rglob("trust/*.json"))
