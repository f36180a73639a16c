"""The ``hf`` command."""

from __future__ import annotations

from pathlib import Path

from tests.clients.conftest import HfCommand, Library


def test_whoami(hf: HfCommand) -> None:
    assert "libby" in hf("auth", "whoami")


def test_repos_create_settings_delete(hf: HfCommand) -> None:
    hf("repos", "create", "libby/by-command", "--private")
    assert "by-command" in hf("repos", "create", "libby/by-command", "--private", "--exist-ok")
    hf("repos", "create", "libby/by-command", code=1)
    hf("repos", "settings", "libby/by-command", "--gated", "auto")
    assert "auto" in hf("models", "info", "libby/by-command")
    hf("repos", "delete", "libby/by-command", "--yes")
    hf("models", "info", "libby/by-command", code=1)


def test_models_ls_and_info(hf: HfCommand, library: Library) -> None:
    listed = hf("models", "ls", "--author", "libby", who=None)
    assert "libby/open" in listed
    assert "libby/secret" not in listed
    assert library.commits["open"] in hf("models", "info", "libby/open", who=None)


def test_download_to_the_cache_and_to_a_folder(hf: HfCommand, library: Library, tmp_path: Path) -> None:
    hf("download", "libby/open", who=None)
    snapshot = hf.home / "hub" / "models--libby--open" / "snapshots" / library.commits["open"]
    hf("download", "libby/open", "--local-dir", str(tmp_path / "local"), who=None)
    for folder in (snapshot, tmp_path / "local"):
        for path, data in library.files["open"].items():
            assert (folder / path).read_bytes() == data
    hf("download", "libby/rows", "--repo-type", "dataset", "--local-dir", str(tmp_path / "rows"), who=None)
    assert (tmp_path / "rows" / "data" / "train.csv").read_bytes() == b"a,b\n1,2\n"


def test_what_may_not_be_read_is_said(hf: HfCommand) -> None:
    assert "gated" in hf("download", "libby/gated", "config.json", who="guest", code=1).lower()
    assert "not found" in hf("download", "libby/secret", who="guest", code=1).lower()
