from __future__ import annotations

import hashlib
import os
import socket
from pathlib import Path

import pytest

from weighbridge.errors import UnreadableFile
from weighbridge.evidence import held
from weighbridge.evidence.held import hash_folder


def test_every_file_is_hashed_and_the_proof_is_kept(tmp_path: Path) -> None:
    files = {"a": b"1" * 3_000_000, "sub/deep/b": b"", "model.sig": b"{}", ".release/x": b"y", ".git/config": b"z"}
    for path, data in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    pieces: list[int] = []
    found = hash_folder(tmp_path, on_bytes=pieces.append)
    assert found.sha256 == {path: hashlib.sha256(data).hexdigest() for path, data in files.items()}
    assert found.size_bytes == {path: len(data) for path, data in files.items()}
    assert found.proof == {"model.sig": b"{}", ".release/x": b"y"}
    assert (found.problems, sum(pieces)) == ((), sum(map(len, files.values())))


def test_what_the_clients_keep_beside_a_download_is_not_looked_at(tmp_path: Path) -> None:
    (tmp_path / ".cache/huggingface/download").mkdir(parents=True)
    (tmp_path / ".cache/huggingface/download/x.lock").write_bytes(b"")
    (tmp_path / ".cache/other").write_bytes(b"")
    (tmp_path / "sub/.cache/huggingface").mkdir(parents=True)
    (tmp_path / "sub/.cache/huggingface/y").write_bytes(b"")
    assert sorted(hash_folder(tmp_path).sha256) == [".cache/other", "sub/.cache/huggingface/y"]


def _snapshot(tmp_path: Path) -> Path:
    """The layout of the Hugging Face cache: snapshots/<commit>/path -> ../../blobs/<etag>."""
    snapshot = tmp_path / "models--acme--tiny" / "snapshots" / "c0ffee"
    blobs = tmp_path / "models--acme--tiny" / "blobs"
    (snapshot / "sub").mkdir(parents=True)
    blobs.mkdir()
    (blobs / "e1").write_bytes(b"one")
    (blobs / "e2").write_bytes(b"two")
    (snapshot / "a").symlink_to("../../blobs/e1")
    (snapshot / "sub" / "b").symlink_to("../../../blobs/e2")
    return snapshot


def test_links_of_the_clients_cache_into_its_own_blobs_are_followed(tmp_path: Path) -> None:
    found = hash_folder(_snapshot(tmp_path))
    assert found.sha256["sub/b"] == hashlib.sha256(b"two").hexdigest()
    assert (set(found.sha256), found.problems) == ({"a", "sub/b"}, ())
    (tmp_path / "link").symlink_to(tmp_path / "models--acme--tiny" / "snapshots" / "c0ffee")
    assert hash_folder(tmp_path / "link").sha256 == found.sha256


@pytest.mark.parametrize("target", ["../../../secret", "/etc/hostname", "../../blobs/none", "../../blobs", "a", "."])
def test_every_other_link_is_a_problem_also_in_the_clients_cache(tmp_path: Path, target: str) -> None:
    snapshot = _snapshot(tmp_path)
    (tmp_path / "secret").write_bytes(b"")
    (snapshot / "c").symlink_to(target)
    found = hash_folder(snapshot)
    if target == "a":  # a link to a link into the blobs: its bytes are those of a blob
        assert found.problems == ()
        return
    assert len(found.problems) == 1 and found.problems[0].startswith("c: a link")
    assert "c" not in found.sha256


def test_a_link_in_a_plain_folder_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs/x").write_bytes(b"")
    folder = tmp_path / "other" / "c0ffee"
    folder.mkdir(parents=True)
    (folder / "a").symlink_to("../../blobs/x")
    (folder / "sub").symlink_to(tmp_path / "blobs")
    assert [one.partition(":")[0] for one in hash_folder(folder).problems] == ["a", "sub"]


def test_sockets_pipes_and_names_that_are_no_text_are_problems(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff")).write_bytes(b"")
    found = hash_folder(tmp_path)
    assert len(found.problems) == 3 and not found.sha256


def test_a_file_of_the_proof_that_is_too_large_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "MAX_PROOF_BYTES", 10)
    (tmp_path / "model.sig").write_bytes(b"x" * 11)
    assert "the limit" in hash_folder(tmp_path).problems[0]


def test_a_file_that_changes_while_it_is_read_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"x" * (3 << 20))
    grown: list[int] = []

    def grow(count: int) -> None:
        if not grown:
            with path.open("ab") as file:
                file.write(b"y")
        grown.append(count)

    assert hash_folder(tmp_path, on_bytes=grow).problems == ("model.safetensors: it changed while it was read",)


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile):
        hash_folder(tmp_path / "none")
