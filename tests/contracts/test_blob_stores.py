"""Every ``BlobStore`` does the same: a local folder and a real S3 server."""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path

import pytest

from weighbridge.errors import EntryNotFound, InvalidInput, StorageError
from weighbridge.storage.blobs import BlobStore

ABSENT = "0" * 64


def write(path: Path, data: bytes) -> tuple[str, Path]:
    path.write_bytes(data)
    return hashlib.sha256(data).hexdigest(), path


async def collect(blobs: BlobStore, sha256: str, **options: int) -> list[bytes]:
    return [piece async for piece in blobs.stream(sha256, **options)]


async def test_a_file_is_moved_in(blobs: BlobStore, tmp_path: Path):
    sha256, path = write(tmp_path / "incoming", b"weights")
    assert not await blobs.has(sha256)
    await blobs.put_file(sha256, path, size_bytes=7)
    assert not path.exists()
    assert await blobs.has(sha256)
    assert await blobs.size_bytes(sha256) == 7
    assert await blobs.read(sha256) == b"weights"


async def test_bytes_are_kept_under_their_digest(blobs: BlobStore):
    assert await blobs.put_bytes(b"hello") == hashlib.sha256(b"hello").hexdigest()
    assert await blobs.put_bytes(b"hello") == hashlib.sha256(b"hello").hexdigest()
    assert await blobs.read(hashlib.sha256(b"hello").hexdigest()) == b"hello"


async def test_an_empty_blob_is_a_blob(blobs: BlobStore, tmp_path: Path):
    sha256, path = write(tmp_path / "incoming", b"")
    await blobs.put_file(sha256, path, size_bytes=0)
    assert await blobs.size_bytes(sha256) == 0
    assert await blobs.read(sha256) == b""
    assert await collect(blobs, sha256) == []


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (0, None, b"0123456789"),
        (3, None, b"3456789"),
        (3, 5, b"34"),
        (9, 10, b"9"),
        (8, 99, b"89"),
        (10, None, b""),
        (11, 20, b""),
        (5, 5, b""),
        (6, 5, b""),
        (0, 0, b""),
    ],
)
async def test_ranges_are_cut_at_the_end(blobs: BlobStore, start: int, end: int | None, expected: bytes):
    sha256 = await blobs.put_bytes(b"0123456789")
    assert await blobs.read(sha256, start=start, end=end) == expected
    assert b"".join([piece async for piece in blobs.stream(sha256, start=start, end=end)]) == expected


@pytest.mark.parametrize(("start", "end"), [(-1, None), (0, -1), (-5, -2)])
async def test_negative_bounds_are_refused(blobs: BlobStore, start: int, end: int | None):
    sha256 = await blobs.put_bytes(b"0123456789")
    with pytest.raises(InvalidInput, match="negative"):
        await blobs.read(sha256, start=start, end=end)
    with pytest.raises(InvalidInput, match="negative"):
        async for _ in blobs.stream(sha256, start=start, end=end):
            pass


async def test_a_big_blob_comes_and_goes_in_pieces(blobs: BlobStore, tmp_path: Path):
    data = os.urandom(1 << 20) * 21 + b"tail"  # several parts on S3
    sha256, path = write(tmp_path / "incoming", data)
    await blobs.put_file(sha256, path, size_bytes=len(data))
    pieces = await collect(blobs, sha256, piece_bytes=1 << 20)
    assert b"".join(pieces) == data
    assert len(pieces) > 5
    assert max(map(len, pieces)) <= 4 << 20
    assert await blobs.read(sha256, start=len(data) - 6) == data[-6:]


async def test_an_absent_blob_is_not_found(blobs: BlobStore):
    assert not await blobs.has(ABSENT)
    for call in (blobs.size_bytes(ABSENT), blobs.read(ABSENT), collect(blobs, ABSENT)):
        with pytest.raises(EntryNotFound):
            await call
    await blobs.delete(ABSENT)


@pytest.mark.parametrize("name", ["", "abc", "../../../etc/passwd", "A" * 64, "0" * 63 + "\n", "0" * 65, "٠" * 64])
async def test_only_digests_are_names(blobs: BlobStore, tmp_path: Path, name: str):
    _, path = write(tmp_path / "incoming", b"x")
    calls = [blobs.has(name), blobs.size_bytes(name), blobs.read(name), blobs.delete(name), collect(blobs, name)]
    for call in [*calls, blobs.put_file(name, path, size_bytes=1)]:
        with pytest.raises(InvalidInput):
            await call
    with pytest.raises(InvalidInput):
        blobs.local_path(name)
    assert path.exists()


async def test_a_second_put_changes_nothing(blobs: BlobStore, tmp_path: Path):
    """The bytes under a digest are the first ones, even if a second put brings others of that length."""
    sha256, path = write(tmp_path / "incoming", b"weights")
    await blobs.put_file(sha256, path, size_bytes=7)
    _, other = write(tmp_path / "other", b"WEIGHTS")
    await blobs.put_file(sha256, other, size_bytes=7)
    assert not other.exists()
    assert await blobs.read(sha256) == b"weights"


async def test_a_blob_of_another_length_is_a_damaged_store(blobs: BlobStore, tmp_path: Path):
    sha256, path = write(tmp_path / "incoming", b"weights")
    await blobs.put_file(sha256, path, size_bytes=7)
    _, other = write(tmp_path / "other", b"longer weights")
    with pytest.raises(StorageError, match="not 14"):
        await blobs.put_file(sha256, other, size_bytes=14)
    assert other.exists()
    assert await blobs.read(sha256) == b"weights"


async def test_a_file_of_the_wrong_length_is_refused(blobs: BlobStore, tmp_path: Path):
    sha256, path = write(tmp_path / "incoming", b"weights")
    with pytest.raises(InvalidInput, match="7 bytes, not 8"):
        await blobs.put_file(sha256, path, size_bytes=8)
    assert path.read_bytes() == b"weights"
    assert not await blobs.has(sha256)


async def test_what_is_not_a_file_is_refused(blobs: BlobStore, tmp_path: Path):
    sha256, path = write(tmp_path / "secret", b"weights")
    (tmp_path / "link").symlink_to(path)
    for name, why in (("link", "regular"), ("absent", "no such file"), (".", "regular")):
        with pytest.raises(InvalidInput, match=why):
            await blobs.put_file(sha256, tmp_path / name, size_bytes=7)
    assert not await blobs.has(sha256)


async def test_writers_at_once_agree(blobs: BlobStore, tmp_path: Path):
    sha256 = hashlib.sha256(b"same").hexdigest()
    paths = [write(tmp_path / f"incoming-{number}", b"same")[1] for number in range(16)]
    await asyncio.gather(*(blobs.put_file(sha256, path, size_bytes=4) for path in paths))
    assert not any(path.exists() for path in paths)
    assert await blobs.read(sha256) == b"same"


async def test_a_deleted_blob_is_gone_and_can_come_back(blobs: BlobStore):
    sha256 = await blobs.put_bytes(b"hello")
    await blobs.delete(sha256)
    assert not await blobs.has(sha256)
    await blobs.delete(sha256)
    await blobs.put_bytes(b"hello")
    assert await blobs.read(sha256) == b"hello"
