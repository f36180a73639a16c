from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from weighbridge.errors import Conflict, InvalidInput, NotFound, StorageFull, TooLarge
from weighbridge.hub.git import blob_oid, lfs_pointer
from weighbridge.release import incoming
from weighbridge.release.incoming import EXPIRES_AFTER_MS, IncomingFolder, parse_length

NOW_MS = 1_900_000_000_000


def create(folder: IncomingFolder, size_bytes: int, now_ms: int = NOW_MS):
    return folder.create(repo_id="r", account_id="a", size_bytes=size_bytes, now_ms=now_ms)


@pytest.mark.parametrize(
    ("content", "is_text"),
    [(b"", True), (b"caf\xc3\xa9\n", True), (b"a\0b", False), (b"\xff\xfe", False), (b"x" * (1 << 20), True)],
)
async def test_digests_are_those_of_the_bytes(tmp_path: Path, content: bytes, is_text: bool) -> None:
    upload = create(IncomingFolder(tmp_path), len(content))
    for start in range(0, len(content), 1000):
        upload.append([content[start : start + 1000]])
    facts = upload.finish()
    assert facts.sha256 == hashlib.sha256(content).hexdigest()
    assert (facts.git_oid, facts.is_text, facts.size_bytes) == (blob_oid(content), is_text, len(content))
    assert upload.path.read_bytes() == content
    upload.close()


async def test_a_large_file_is_known_by_its_pointer(tmp_path: Path) -> None:
    content = b"x" * ((1 << 20) + 1)
    upload = create(IncomingFolder(tmp_path), len(content))
    upload.append([content])
    facts = upload.finish()
    upload.close()
    assert facts.git_oid == blob_oid(lfs_pointer(hashlib.sha256(content).hexdigest(), len(content)))
    assert not facts.is_text


async def test_a_new_process_goes_on_with_what_the_old_one_received(tmp_path: Path) -> None:
    content = os.urandom(3 << 20)
    old = create(IncomingFolder(tmp_path), len(content))
    old.append([content[: 2 << 20]])
    old.close()
    folder = IncomingFolder(tmp_path)
    again = folder.find(old.id, account_id="a")
    async with again.claim():
        assert again.offset == 2 << 20
        again.append([content[2 << 20 :]])
        assert again.finish().sha256 == hashlib.sha256(content).hexdigest()
    folder.remove(again)
    assert list(tmp_path.iterdir()) == []


async def test_it_is_found_by_its_own_account_only(tmp_path: Path) -> None:
    folder = IncomingFolder(tmp_path)
    upload = create(folder, 10)
    for upload_id, account_id in ((upload.id, "b"), ("0" * 32, "a"), ("../x", "a"), ("", "a")):
        with pytest.raises(NotFound):
            folder.find(upload_id, account_id=account_id)
    folder.remove(upload)
    with pytest.raises(NotFound):
        async with upload.claim():
            pass


async def test_incomplete_is_not_finished(tmp_path: Path) -> None:
    upload = create(IncomingFolder(tmp_path), 10)
    upload.append([b"12345"])
    with pytest.raises(Conflict, match="5 bytes are missing"):
        upload.finish()
    upload.close()


async def test_what_is_left_for_a_day_goes_and_what_is_new_stays(tmp_path: Path) -> None:
    folder = IncomingFolder(tmp_path)
    left, fresh = create(folder, 10), create(folder, 10)
    for path in (left.path, tmp_path / f"{left.id}.json"):
        os.utime(path, (NOW_MS / 1000, NOW_MS / 1000))
    for path in (fresh.path, tmp_path / f"{fresh.id}.json"):
        os.utime(path, (NOW_MS / 1000 + 80_000, NOW_MS / 1000 + 80_000))
    later = create(folder, 10, now_ms=NOW_MS + EXPIRES_AFTER_MS + 1)
    assert {path.name for path in tmp_path.iterdir() if path.suffix != ".json"} == {fresh.id, later.id}
    for upload in (fresh, later):
        folder.remove(upload)


async def test_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = IncomingFolder(tmp_path)
    with pytest.raises(TooLarge):
        create(folder, (5 << 40) + 1)
    with pytest.raises(StorageFull, match="bytes free"):
        create(folder, 4 << 40)
    monkeypatch.setattr(incoming, "MAX_OPEN_PER_ACCOUNT", 2)
    uploads = [create(folder, 1), create(folder, 1)]
    with pytest.raises(TooLarge, match="are under way"):
        create(folder, 1)
    for upload in uploads:
        folder.remove(upload)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", [None, "", "-1", "1.5", "١", "9" * 19, "0x10", " 5"])
def test_lengths_are_decimal(text: str | None) -> None:
    with pytest.raises(InvalidInput):
        parse_length(text)
