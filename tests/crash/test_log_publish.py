"""Killed between each two steps of a publish: what is out stays whole, and doing it again ends the same."""

from __future__ import annotations

import hashlib
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from weighbridge.errors import EntryNotFound
from weighbridge.storage.connect import open_database
from weighbridge.storage.objects import ObjectStore, open_local_objects
from weighbridge.tlog import (
    Checkpoint,
    LogSigner,
    open_checkpoint,
    prove_consistency,
    publish,
    published,
    verify_consistency,
)
from weighbridge.tlog.tiles import WIDTH, RightEdge, entries_key, leaf_hash, tile_at, unpack_entries

SEED = hashlib.sha256(b"test key").digest()
SIGNER = LogSigner("hub.example/tlog", Ed25519PrivateKey.from_private_bytes(SEED))

# What a worker does: log each statement of a release, then publish. Killed after step KILL_AFTER of the publish.
WORKER = """
import asyncio, hashlib, os, signal, sys
from pathlib import Path
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from weighbridge.storage.connect import open_database
from weighbridge.storage.objects import open_local_objects
from weighbridge.tlog import LogSigner, append, publish

folder, count, kill_after, where = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
seed = hashlib.sha256(b"test key").digest()
signer = LogSigner("hub.example/tlog", Ed25519PrivateKey.from_private_bytes(seed))
steps = 0

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def observer(step):
    global steps
    steps += 1
    print(step, flush=True)
    if where == "publish" and steps == kill_after:
        die()

async def main():
    db = await open_database(folder / "metadata.sqlite")
    await db.migrate()
    async with db.transaction() as tx:
        for number in range(count):
            digest = hashlib.sha256(b"statement %d" % number).hexdigest()
            await append(tx, dedup_key=f"k{number}", statement_sha256=digest, now_ms=0)
        if where == "append":
            die()
    await publish(db, open_local_objects(folder / "tlog"), signer, now_ms=0, observer=observer)
    await db.close()

asyncio.run(main())
"""


def work(folder: Path, count: int, *, kill_after: int = 0, where: str = "publish") -> subprocess.CompletedProcess[str]:
    arguments = [str(folder), str(count), str(kill_after), where]
    return subprocess.run([sys.executable, "-c", WORKER, *arguments], capture_output=True, text=True, check=False)


async def audit(objects: ObjectStore) -> Checkpoint | None:
    """The head that outsiders see, all its entries and tiles found and hashed again; None before the first."""
    try:
        note = (await objects.get("checkpoint")).decode()
    except EntryNotFound:
        return None
    checkpoint = open_checkpoint(note, SIGNER.key)
    edge = RightEdge()
    for index in range(-(-checkpoint.size // WIDTH)):
        width = tile_at(0, index, size=checkpoint.size).width
        for entry in unpack_entries(await objects.get(entries_key(index, width)), count=width):
            edge.add(leaf_hash(entry))
    assert edge.root() == checkpoint.root
    for tile, data in edge.take_tiles():
        assert await objects.get(tile.key) == data
    return checkpoint


async def finish(folder: Path, count: int, seen: list[Checkpoint]) -> Checkpoint:
    """Runs the worker's job again to its end, and checks the whole log against the database and every older head."""
    done = work(folder, count)
    assert done.returncode == 0, done.stderr
    objects = open_local_objects(folder / "tlog")
    db = await open_database(folder / "metadata.sqlite")
    try:
        rows = await db.all("SELECT position, dedup_key, leaf FROM log_entry ORDER BY position")
        assert [(row["position"], row["dedup_key"]) for row in rows] == [(n, f"k{n}") for n in range(count)]
        final = await audit(objects)
        assert final is not None
        assert final == await published(db) == await publish(db, objects, SIGNER, now_ms=0)
        edge = RightEdge()
        for row in rows:
            edge.add(leaf_hash(row["leaf"].encode()))
        assert (final.size, final.root) == (count, edge.root())
    finally:
        await db.close()
    for old in seen:
        if old.size:
            hashes = await prove_consistency(objects, old_size=old.size, new_size=final.size)
            verify_consistency(old, final, hashes)
    assert list((folder / "tlog" / ".part").iterdir()) == []
    return final


@pytest.mark.parametrize(("before", "after"), [(0, 3), (200, 300), (255, 256)])
async def test_killed_after_each_step_of_a_publish(tmp_path: Path, before: int, after: int):
    start = tmp_path / "start"
    start.mkdir()
    if before:
        assert work(start, before).returncode == 0
    shutil.copytree(start, tmp_path / "whole")
    steps = work(tmp_path / "whole", after).stdout.split()
    assert steps[-2:] == ["swapped", "checkpoint"]
    assert len(steps) >= 4
    old = await audit(open_local_objects(start / "tlog"))
    for number in range(1, len(steps) + 1):
        folder = tmp_path / f"killed-{number}"
        shutil.copytree(start, folder)
        killed = work(folder, after, kill_after=number)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        assert killed.stdout.split() == steps[:number]
        seen = await audit(open_local_objects(folder / "tlog"))
        if steps[number - 1] == "checkpoint":
            assert seen is not None
            assert seen.size == after
        else:
            assert seen == old
        await finish(folder, after, [head for head in (old, seen) if head])


async def test_killed_again_and_again_while_the_log_grows(tmp_path: Path):
    """Each round logs more and dies one step later than the one before."""
    seen: list[Checkpoint] = []
    for number, count in enumerate((2, 100, 256, 257, 300, 520), start=1):
        work(tmp_path, count, kill_after=number)
        head = await audit(open_local_objects(tmp_path / "tlog"))
        seen += [head] if head else []
    final = await finish(tmp_path, 520, seen)
    assert final.size == 520


async def test_killed_before_the_transaction_ends(tmp_path: Path):
    assert work(tmp_path, 5).returncode == 0
    assert work(tmp_path, 9, where="append").returncode == -signal.SIGKILL
    db = await open_database(tmp_path / "metadata.sqlite")
    try:
        assert await db.one("SELECT size FROM log_head") == {"size": 5}
        assert await db.one("SELECT COUNT(*) AS many FROM log_entry") == {"many": 5}
    finally:
        await db.close()
    await finish(tmp_path, 9, [])
