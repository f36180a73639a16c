from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from weighbridge.errors import StorageError
from weighbridge.evidence.keys import derive_salt, load_or_create_ed25519, load_or_create_p256
from weighbridge.evidence.public_key import public_pem


def test_a_key_is_made_once_and_kept_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "release.pem"
    first = load_or_create_p256(path)
    assert public_pem(load_or_create_p256(path)) == public_pem(first)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----\n")
    assert [one.name for one in path.parent.iterdir()] == ["release.pem"]


def test_the_log_key_is_ed25519(tmp_path: Path) -> None:
    first = load_or_create_ed25519(tmp_path / "log.pem")
    assert load_or_create_ed25519(tmp_path / "log.pem").private_bytes_raw() == first.private_bytes_raw()


def test_processes_that_start_at_once_end_with_one_key(tmp_path: Path) -> None:
    path, found, barrier = tmp_path / "release.pem", [], threading.Barrier(8)

    def start() -> None:
        barrier.wait()
        found.append(public_pem(load_or_create_p256(path)))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and len(set(found)) == 1


def test_a_key_of_the_other_kind_is_refused(tmp_path: Path) -> None:
    load_or_create_ed25519(tmp_path / "a.pem")
    load_or_create_p256(tmp_path / "b.pem")
    with pytest.raises(StorageError, match="P-256"):
        load_or_create_p256(tmp_path / "a.pem")
    with pytest.raises(StorageError, match="Ed25519"):
        load_or_create_ed25519(tmp_path / "b.pem")


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "release.pem"
    load_or_create_p256(path)
    path.chmod(0o640)
    with pytest.raises(StorageError, match="may read it") as caught:
        load_or_create_p256(path)
    assert "chmod 600" in caught.value.diagnostics()


def test_a_broken_key_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "release.pem"
    path.write_text("not a key")
    path.chmod(0o600)
    with pytest.raises(StorageError, match="could not read the key"):
        load_or_create_p256(path)


def test_a_salt_is_the_same_again_and_another_for_another_purpose_or_key(tmp_path: Path) -> None:
    one, two = load_or_create_p256(tmp_path / "1.pem"), load_or_create_p256(tmp_path / "2.pem")
    assert derive_salt(one, purpose="a") == derive_salt(one, purpose="a")
    assert len({derive_salt(one, purpose="a"), derive_salt(one, purpose="b"), derive_salt(two, purpose="a")}) == 3
