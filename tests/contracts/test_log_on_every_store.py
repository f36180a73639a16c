"""The transparency log on both databases and both object stores, with many writers and publishers at once."""

from __future__ import annotations

import asyncio
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from weighbridge.errors import Conflict, EntryNotFound, StorageError
from weighbridge.storage.connect import open_database
from weighbridge.storage.database import Database
from weighbridge.storage.objects import ObjectStore
from weighbridge.tlog import (
    Entry,
    LogSigner,
    append,
    find_entry,
    format_proof,
    open_checkpoint,
    prove,
    prove_consistency,
    publish,
    published,
    verify_consistency,
    verify_proof,
)
from weighbridge.tlog.note import leaf_bytes
from weighbridge.tlog.tiles import WIDTH, RightEdge, edge_tiles, entries_key, leaf_hash, tile_at, unpack_entries


@pytest.fixture
def signer() -> LogSigner:
    return LogSigner("hub.example/tlog", Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"test key").digest()))


def digest(number: int) -> str:
    return hashlib.sha256(b"statement %d" % number).hexdigest()


async def add(db: Database, count: int, *, start: int = 0) -> list[Entry]:
    entries: list[Entry] = []
    async with db.transaction() as tx:
        for number in range(start, start + count):
            entries.append(await append(tx, dedup_key=f"k{number}", statement_sha256=digest(number), now_ms=number))
    return entries


async def audit(objects: ObjectStore, signer: LogSigner) -> list[bytes]:
    """Every entry of the log, read as an outsider reads it, from the files alone; all hashes are done again."""
    checkpoint = open_checkpoint((await objects.get("checkpoint")).decode(), signer.key)
    entries: list[bytes] = []
    edge = RightEdge()
    for index in range(-(-checkpoint.size // WIDTH)):
        width = tile_at(0, index, size=checkpoint.size).width
        bundle = unpack_entries(await objects.get(entries_key(index, width)), count=width)
        for entry in bundle:
            edge.add(leaf_hash(entry))
        entries += bundle
    assert edge.root() == checkpoint.root
    for tile, data in edge.take_tiles():
        assert await objects.get(tile.key) == data
    return entries


async def test_a_log_from_nothing(db: Database, objects: ObjectStore, signer: LogSigner):
    assert await published(db) is None
    empty = await publish(db, objects, signer, now_ms=0)
    assert (empty.size, empty.root) == (0, hashlib.sha256(b"").digest())
    assert await audit(objects, signer) == []
    entries = await add(db, 3)
    assert [entry.position for entry in entries] == [0, 1, 2]
    assert [entry.leaf for entry in entries] == [leaf_bytes(digest(n), entries[n].nonce) for n in range(3)]
    assert len({entry.nonce for entry in entries}) == 3
    checkpoint = await publish(db, objects, signer, now_ms=0)
    assert checkpoint.size == 3
    assert await published(db) == checkpoint
    assert await audit(objects, signer) == [entry.leaf for entry in entries]
    assert await publish(db, objects, signer, now_ms=0) == checkpoint


async def test_every_entry_is_proved_and_every_head_begins_with_the_older(
    db: Database, objects: ObjectStore, signer: LogSigner
):
    entries: list[Entry] = []
    heads = []
    for count in (1, 4, 250, 1, 1, 300):
        entries += await add(db, count, start=len(entries))
        heads.append(await publish(db, objects, signer, now_ms=0))
    assert [head.size for head in heads] == [1, 5, 255, 256, 257, 557]
    assert await audit(objects, signer) == [entry.leaf for entry in entries]
    for position in (0, 1, 4, 127, 255, 256, 511, 512, 556):
        text = format_proof(await prove(db, objects, position=position))
        proven = verify_proof(text, entry=entries[position].leaf, vkey=signer.vkey)
        assert (proven.position, proven.size, proven.extra) == (position, 557, entries[position].nonce)
    for old in heads:
        for new in heads:
            if old.size <= new.size:
                hashes = await prove_consistency(objects, old_size=old.size, new_size=new.size)
                verify_consistency(old, new, hashes)
    for sizes in ((0, 5), (6, 5), (-1, 5)):
        with pytest.raises(Conflict):
            await prove_consistency(objects, old_size=sizes[0], new_size=sizes[1])


async def test_the_same_key_is_the_same_entry(db: Database, objects: ObjectStore, signer: LogSigner):
    first = await append(db, dedup_key="k", statement_sha256=digest(1), now_ms=1)
    assert await append(db, dedup_key="k", statement_sha256=digest(1), now_ms=2) == first
    assert await find_entry(db, dedup_key="k") == first
    with pytest.raises(Conflict, match="another statement"):
        await append(db, dedup_key="k", statement_sha256=digest(2), now_ms=3)
    with pytest.raises(EntryNotFound):
        await find_entry(db, dedup_key="other")
    assert (await publish(db, objects, signer, now_ms=0)).size == 1


async def test_an_append_goes_with_its_transaction(db: Database, objects: ObjectStore, signer: LogSigner):
    with pytest.raises(ZeroDivisionError):
        async with db.transaction() as tx:
            await append(tx, dedup_key="k", statement_sha256=digest(1), now_ms=1)
            raise ZeroDivisionError
    assert (await publish(db, objects, signer, now_ms=0)).size == 0
    assert (await append(db, dedup_key="k2", statement_sha256=digest(2), now_ms=1)).position == 0


async def test_what_is_not_out_is_not_proved(db: Database, objects: ObjectStore, signer: LogSigner):
    await add(db, 2)
    with pytest.raises(Conflict, match="not published"):
        await prove(db, objects, position=0)
    await publish(db, objects, signer, now_ms=0)
    await add(db, 1, start=2)
    with pytest.raises(Conflict, match="not published"):
        await prove(db, objects, position=2)
    with pytest.raises(EntryNotFound):
        await prove(db, objects, position=3)


async def test_many_writers_and_publishers(db: Database, database_url: str, objects: ObjectStore, signer: LogSigner):
    """Two connections stand for two processes. Heads seen by any publisher must be of one log."""
    second = await open_database(database_url)
    try:

        async def write(place: Database, name: str) -> None:
            for number in range(6):
                await append(place, dedup_key=f"{name}{number}", statement_sha256=digest(number), now_ms=0)
                await append(place, dedup_key=f"shared{number}", statement_sha256=digest(number), now_ms=0)

        async def announce(place: Database) -> list[int]:
            seen = []
            for _ in range(5):
                seen.append((await publish(place, objects, signer, now_ms=0)).size)
                await asyncio.sleep(0.005)
            return seen

        done = await asyncio.gather(
            write(db, "a"), write(second, "b"), write(second, "c"), announce(db), announce(second), announce(db)
        )
        for seen in done[3:]:
            assert seen == sorted(seen)
    finally:
        await second.close()
    final = await publish(db, objects, signer, now_ms=0)
    assert final.size == 24
    rows = await db.all("SELECT position, leaf FROM log_entry ORDER BY position")
    assert [row["position"] for row in rows] == list(range(24))
    assert await audit(objects, signer) == [row["leaf"].encode() for row in rows]


async def test_a_batch_bounds_the_work(
    db: Database, objects: ObjectStore, signer: LogSigner, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("weighbridge.tlog.log.BATCH", 300)
    entries = await add(db, 1000)
    steps: list[str] = []
    assert (await publish(db, objects, signer, now_ms=0, observer=steps.append)).size == 1000
    assert steps.count("swapped") == 4
    assert steps[-1] == "checkpoint"
    assert await audit(objects, signer) == [entry.leaf for entry in entries]


async def test_only_the_edge_is_written_again(db: Database, objects: ObjectStore, signer: LogSigner):
    await add(db, 700)
    await publish(db, objects, signer, now_ms=0)
    await add(db, 1, start=700)
    steps: list[str] = []
    await publish(db, objects, signer, now_ms=0, observer=steps.append)
    assert steps == ["tile/0/002.p/189", "tile/1/000.p/2", "tile/entries/002.p/189", "swapped", "checkpoint"]


async def test_a_damaged_tile_stops_the_log(db: Database, objects: ObjectStore, signer: LogSigner):
    await add(db, 5)
    checkpoint = await publish(db, objects, signer, now_ms=0)
    (tile,) = edge_tiles(5)
    good = await objects.get(tile.key)
    await objects.put(tile.key, bytes([good[0] ^ 1]) + good[1:], create=False)
    await add(db, 1, start=5)
    with pytest.raises(StorageError, match="signed root") as caught:
        await publish(db, objects, signer, now_ms=0)
    assert "backup" in caught.value.diagnostics()
    with pytest.raises(StorageError):
        await prove(db, objects, position=1)
    assert await published(db) == checkpoint
    await objects.put(tile.key, good[:-1], create=False)
    with pytest.raises(StorageError, match="bytes"):
        await publish(db, objects, signer, now_ms=0)
    await objects.put(tile.key, good, create=False)
    assert (await publish(db, objects, signer, now_ms=0)).size == 6


async def test_another_key_or_origin_does_not_go_on(db: Database, objects: ObjectStore, signer: LogSigner):
    await add(db, 1)
    await publish(db, objects, signer, now_ms=0)
    await add(db, 1, start=1)
    key = Ed25519PrivateKey.generate()
    for other in (LogSigner("other.example/tlog", key), LogSigner(signer.origin, key)):
        with pytest.raises(StorageError):
            await publish(db, objects, other, now_ms=0)
    assert (await publish(db, objects, signer, now_ms=0)).size == 2


async def test_a_lost_entry_is_not_papered_over(db: Database, objects: ObjectStore, signer: LogSigner):
    await add(db, 3)
    await db.run("DELETE FROM log_entry WHERE position = 1")
    with pytest.raises(StorageError, match="missing"):
        await publish(db, objects, signer, now_ms=0)
    await db.run("DELETE FROM log_entry WHERE position = 2")
    with pytest.raises(StorageError, match="missing"):
        await publish(db, objects, signer, now_ms=0)
