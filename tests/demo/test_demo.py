"""The demo as a person runs it: the whole of it, and what it says when something is not as it should be."""

import json
import os
import re
import socket
import subprocess
import sys

import pytest

from weighbridge.demo.failed import DemoFailed
from weighbridge.demo.show import Options, Show, flip_byte

TIMEOUT_S = 300


def run_demo(*words, **extra):
    env = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "WEIGHBRIDGE_"))} | extra
    command = [sys.executable, "-m", "weighbridge.cli.main", "demo", *words]
    return subprocess.run(
        command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )


@pytest.fixture(scope="module")
def twice(tmp_path_factory):
    """The demo on one data folder, two times over, with its temporary files where we see them."""
    data, temporary = tmp_path_factory.mktemp("data") / "hub", tmp_path_factory.mktemp("temporary")
    words = ("--once", "--data", str(data))
    runs = [run_demo(*words, TMPDIR=str(temporary)), run_demo(*words, "--json", TMPDIR=str(temporary))]
    return runs, data, temporary


@pytest.mark.slow
def test_a_real_model_goes_from_a_folder_to_a_checked_download(twice):
    (first, _), _, _ = twice
    assert first.returncode == 0, first.stdout + first.stderr
    heads = re.findall(r"^\[(\d)/8\]", first.stdout, re.MULTILINE)
    assert heads == list("12345678")
    said = first.stdout + first.stderr
    assert "134.5 M parameters" in said
    assert "waits at the gate. What is missing:" in said
    assert "0 of 2 approvals" in said
    assert said.count("approved release 1 of acme/SmolLM2-135M-Instruct, signed") == 2
    assert "released acme/SmolLM2-135M-Instruct release 1" in said
    assert "verified: acme/SmolLM2-135M-Instruct" in said
    assert re.search(r"FAIL +files +changed: model\.safetensors", said)
    assert re.search(r"http://127\.0\.0\.1:\d+/acme/SmolLM2-135M-Instruct/releases/1", said)


@pytest.mark.slow
def test_on_a_data_folder_that_has_the_release_already_it_goes_on_without_a_gate(twice):
    (_, second), _, _ = twice
    assert second.returncode == 0, second.stdout + second.stderr
    assert "held the release already" in second.stderr
    result = json.loads(second.stdout)
    assert result["ok"] and result["page"] == f"{result['hub']}/acme/SmolLM2-135M-Instruct"
    assert "approved release" not in second.stderr


@pytest.mark.slow
def test_it_leaves_the_named_data_folder_and_nothing_else(twice):
    _, data, temporary = twice
    assert (data / "metadata.sqlite").is_file()
    assert not (data / "hub.json").exists()
    assert [path.name for path in temporary.iterdir() if path.name.startswith("weighbridge-demo-")] == []


@pytest.mark.slow
def test_a_hub_that_cannot_start_fails_the_demo_loudly(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run_demo("--once", "--port", str(taken.getsockname()[1]), TMPDIR=str(tmp_path))
    assert done.returncode == 1
    assert "could not start the hub" in done.stderr
    assert "The end of the hub's log" in done.stderr
    assert list(tmp_path.glob("weighbridge-demo-*")) == []


def test_the_engine_is_asked_for_before_anything_is_started(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    show = Show(Options(data=None, port=0, engine=True, admin_token="x" * 20), tmp_path)
    with pytest.raises(DemoFailed, match="torch and transformers not installed") as refused:
        show.run()
    assert "make demo ENGINE=1" in refused.value.diagnostics()
    assert list(tmp_path.iterdir()) == []


def test_flipping_a_byte_twice_changes_nothing(tmp_path):
    path = tmp_path / "weights"
    path.write_bytes(b"abc")
    flip_byte(path, 1)
    assert path.read_bytes() == b"a\x9dc"
    flip_byte(path, 1)
    assert path.read_bytes() == b"abc"
