"""What only the folder has: its layout, the durable order, a full disk, killed writers."""

from __future__ import annotations

import errno
import hashlib
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from weighbridge.errors import StorageError, StorageFull
from weighbridge.storage import durable
from weighbridge.storage.blobs import open_local_blobs
from weighbridge.storage.objects import open_local_objects

HELLO = hashlib.sha256(b"hello").hexdigest()


def files_under(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


async def test_the_layout_is_that_of_the_format_document(tmp_path: Path):
    blobs = open_local_blobs(tmp_path / "blobs")
    assert await blobs.put_bytes(b"hello") == HELLO
    path = tmp_path / "blobs" / HELLO[:2] / HELLO
    assert blobs.local_path(HELLO) == path
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert files_under(tmp_path / "blobs") == [f"{HELLO[:2]}/{HELLO}"]


async def test_a_file_is_linked_not_copied(tmp_path: Path):
    blobs = open_local_blobs(tmp_path / "blobs")
    incoming = tmp_path / "incoming"
    incoming.write_bytes(b"hello")
    inode = incoming.stat().st_ino
    await blobs.put_file(HELLO, incoming, size_bytes=5)
    path = tmp_path / "blobs" / HELLO[:2] / HELLO
    assert path.stat().st_ino == inode
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert path.stat().st_nlink == 1


async def test_an_existing_blob_keeps_its_inode(tmp_path: Path):
    blobs = open_local_blobs(tmp_path / "blobs")
    await blobs.put_bytes(b"hello")
    path = blobs.local_path(HELLO)
    assert path is not None
    inode = path.stat().st_ino
    incoming = tmp_path / "incoming"
    incoming.write_bytes(b"hello")
    await blobs.put_file(HELLO, incoming, size_bytes=5)
    await blobs.put_bytes(b"hello")
    assert path.stat().st_ino == inode


async def test_order_of_a_durable_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The bytes are on the disk before the name is, and the name before the call returns; the old name goes last."""
    blobs = open_local_blobs(tmp_path / "blobs")
    incoming = tmp_path / "incoming"
    incoming.write_bytes(b"hello")
    done: list[str] = []
    real = {"fsync": os.fsync, "link": os.link, "unlink": os.unlink}

    def fsync(descriptor: int) -> None:
        done.append("fsync folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "fsync file")
        real["fsync"](descriptor)

    def link(*arguments: object, **options: object) -> None:
        done.append("link")
        real["link"](*arguments, **options)

    def unlink(*arguments: object, **options: object) -> None:
        done.append("unlink")
        real["unlink"](*arguments, **options)

    for name, fake in (("fsync", fsync), ("link", link), ("unlink", unlink)):
        monkeypatch.setattr(os, name, fake)
    await blobs.put_file(HELLO, incoming, size_bytes=5)
    assert done == ["fsync file", "link", "fsync folder", "unlink"]
    done.clear()
    await blobs.put_bytes(b"other")
    assert done == ["fsync file", "link", "fsync folder", "unlink"]


@pytest.mark.parametrize("call", ["link", "fsync"])
async def test_a_full_disk_at_any_call_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str):
    blobs = open_local_blobs(tmp_path / "blobs")
    incoming = tmp_path / "incoming"
    incoming.write_bytes(b"hello")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises(StorageFull) as caught:
            await blobs.put_file(HELLO, incoming, size_bytes=5)
        assert "Free space" in caught.value.diagnostics()
        with pytest.raises(StorageFull):
            await blobs.put_bytes(b"other")
    assert files_under(tmp_path) == ["incoming"]
    await blobs.put_file(HELLO, incoming, size_bytes=5)
    assert await blobs.read(HELLO) == b"hello"


async def test_a_really_full_disk(small_disk: Path, tmp_path: Path):
    blobs = open_local_blobs(small_disk / "blobs")
    kept = await blobs.put_bytes(b"k" * 300_000)
    with pytest.raises(StorageFull):
        await blobs.put_bytes(b"x" * 2_000_000)
    incoming = tmp_path / "incoming"  # on another disk, so it must be copied
    incoming.write_bytes(b"y" * 2_000_000)
    sha256 = hashlib.sha256(b"y" * 2_000_000).hexdigest()
    with pytest.raises(StorageFull):
        await blobs.put_file(sha256, incoming, size_bytes=2_000_000)
    assert incoming.stat().st_size == 2_000_000
    assert not await blobs.has(sha256)
    assert files_under(small_disk) == [f"blobs/{kept[:2]}/{kept}"]
    assert await blobs.put_bytes(b"z" * 300_000)
    objects = open_local_objects(small_disk / "tlog")
    await objects.put("checkpoint", b"old", create=False)
    for create in (True, False):
        with pytest.raises(StorageFull):
            await objects.put("tile/0/000" if create else "checkpoint", b"t" * 2_000_000, create=create)
    assert await objects.get("checkpoint") == b"old"
    assert files_under(small_disk / "tlog") == ["checkpoint"]


async def test_a_file_of_another_disk_is_copied_in(small_disk: Path, tmp_path: Path):
    blobs = open_local_blobs(small_disk / "blobs")
    incoming = tmp_path / "incoming"
    incoming.write_bytes(b"hello")
    await blobs.put_file(HELLO, incoming, size_bytes=5)
    assert not incoming.exists()
    assert files_under(small_disk) == [f"blobs/{HELLO[:2]}/{HELLO}"]
    path = blobs.local_path(HELLO)
    assert path is not None
    assert stat.S_IMODE(path.stat().st_mode) == 0o444


async def test_a_folder_that_cannot_be_used_is_told(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="could not open"):
        open_local_blobs(tmp_path / "file" / "blobs")
    blobs = open_local_blobs(tmp_path / "blobs")
    (tmp_path / "blobs" / HELLO[:2]).rmdir()
    (tmp_path / "blobs" / HELLO[:2]).write_bytes(b"in the way")
    with pytest.raises(StorageError, match="could not store"):
        await blobs.put_bytes(b"hello")


STAGE = """
import sys, time
from pathlib import Path
from weighbridge.storage.durable import staged
with staged(Path(sys.argv[1]), b"half"):
    print("staged", flush=True)
    time.sleep(60)
"""


def test_only_the_leftovers_of_dead_writers_are_swept(tmp_path: Path):
    folder = tmp_path / "blobs" / ".part"
    writers = [subprocess.Popen([sys.executable, "-c", STAGE, folder], stdout=subprocess.PIPE) for _ in range(2)]
    try:
        for writer in writers:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"staged\n"
        open_local_blobs(tmp_path / "blobs")
        assert len(files_under(folder)) == 2
        writers[0].send_signal(signal.SIGKILL)
        writers[0].wait()
        open_local_blobs(tmp_path / "blobs")
        assert len(files_under(folder)) == 1
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()


def test_a_staged_file_goes_when_the_block_ends(tmp_path: Path):
    with durable.staged(tmp_path / "a" / "b", b"bytes") as path:
        assert path.read_bytes() == b"bytes"
    assert files_under(tmp_path) == []
    with pytest.raises(ZeroDivisionError), durable.staged(tmp_path / "a" / "b", b"bytes"):
        raise ZeroDivisionError
    assert files_under(tmp_path) == []
