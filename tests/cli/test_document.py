from __future__ import annotations

import json
from pathlib import Path

import pytest

from weighbridge.cli.main import run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "config.json").write_text('{"architectures": ["LlamaForCausalLM"], "model_type": "llama"}')
    return folder


def test_it_says_what_it_added_and_what_is_missing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["document", str(folder)]) == 0
    out = capsys.readouterr().out
    assert "  added    pipeline_tag: text-generation (from config.json)" in out
    assert "  missing  no licence is named (`license:`)" in out
    assert out.endswith(f"{folder / 'README.md'}: written\n")
    assert run(["document", str(folder)]) == 0
    assert capsys.readouterr().out.endswith("complete already, not touched\n")


def test_a_dry_run_writes_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["document", str(folder), "--dry-run"]) == 0
    assert capsys.readouterr().out.endswith("would be written\n")
    assert not (folder / "README.md").exists()


def test_as_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["document", str(folder), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["added"] == {"library_name": "transformers", "pipeline_tag": "text-generation"}
    assert (found["changed"], found["wrote"]) == (True, True) and found["missing"]


def test_what_cannot_be_used_exits_with_6(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["document", str(folder / "config.json")]) == 6
    (folder / "README.md").write_bytes(b"\xff")
    assert run(["document", str(folder)]) == 6
    assert "not UTF-8" in capsys.readouterr().err
