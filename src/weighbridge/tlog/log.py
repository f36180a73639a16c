"""The log itself: entries take their positions in the database, then go out as tiles under a signed checkpoint.

Order of a publish (docs/format.md, section 7): tiles, entries, checkpoint into the database (compare-and-swap),
``checkpoint`` file. What an interrupted publish has done is done again, to the same bytes, by the next: positions never
change, tiles are put once, and the signature is deterministic.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

import msgspec

from weighbridge.errors import Conflict, EntryNotFound, StorageError, VerificationFailed
from weighbridge.storage.database import Database, Row, Session, in_transaction, load_queries
from weighbridge.storage.objects import ObjectStore
from weighbridge.tlog.note import Checkpoint, LogSigner, leaf_bytes, open_checkpoint, parse_checkpoint
from weighbridge.tlog.proof import Proof, consistency_ranges, inclusion_ranges, verify_inclusion
from weighbridge.tlog.reading import DAMAGED, TileReader, read_edge
from weighbridge.tlog.tiles import WIDTH, RightEdge, entries_key, leaf_hash, pack_entries

QUERIES = load_queries("weighbridge.tlog")
BATCH = 8 * WIDTH
"""Most entries that go out under one checkpoint: bounds the memory and the work of one round of ``publish``."""

Observer = Callable[[str], None]
"""Told the name of each step of a publish once it is done; the crash tests end the process there."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the log."""

    position: int
    """0-based."""
    leaf: bytes
    """The entry's bytes, as in the bundles."""
    nonce: bytes
    """32 bytes that open the commitment."""


async def append(
    db: Session, *, dedup_key: str, statement_sha256: str, now_ms: int, nonce: bytes | None = None
) -> Entry:
    """The entry for a statement: new, or the one that ``dedup_key`` has already. Goes out with the next ``publish``.

    ``db`` is a transaction's session, so that the entry is there exactly when the caller's own change is; given a
    database it makes its own transaction. ``nonce`` is random unless given.

    Raises:
        Conflict: ``dedup_key`` has an entry for another statement, or another writer took the position meanwhile.
    """
    nonce = nonce or secrets.token_bytes(32)

    async def work(tx: Session) -> Entry:
        return await _append(tx, dedup_key, statement_sha256=statement_sha256, now_ms=now_ms, nonce=nonce)

    if isinstance(db, Database):
        return await in_transaction(db, work)
    return await work(db)


async def _append(tx: Session, dedup_key: str, *, statement_sha256: str, now_ms: int, nonce: bytes) -> Entry:
    row = await tx.one(QUERIES["entry_by_dedup_key"], dedup_key=dedup_key)
    if row is not None:
        entry = _entry(row)
        if leaf_bytes(statement_sha256, entry.nonce) != entry.leaf:
            raise Conflict(f"could not log {dedup_key}: it is in the log already, for another statement")
        return entry
    leaf = leaf_bytes(statement_sha256, nonce)
    position = (await _head(tx))["size"]
    if not await tx.run(QUERIES["take_position"], position=position):
        raise Conflict(f"could not log {dedup_key}: another entry took position {position} meanwhile")
    await tx.run(
        QUERIES["insert_entry"],
        position=position,
        dedup_key=dedup_key,
        leaf=leaf.decode(),
        nonce=nonce.hex(),
        appended_ms=now_ms,
    )
    return Entry(position=position, leaf=leaf, nonce=nonce)


async def find_entry(db: Session, *, dedup_key: str) -> Entry:
    """The entry that was appended under this key. Raises: EntryNotFound."""
    row = await db.one(QUERIES["entry_by_dedup_key"], dedup_key=dedup_key)
    if row is None:
        raise EntryNotFound(f"could not find {dedup_key} in the log")
    return _entry(row)


async def published(db: Session) -> Checkpoint | None:
    """The newest checkpoint that is out, or None before the first."""
    text = (await _head(db))["checkpoint"]
    return parse_checkpoint(text) if text else None


async def publish(
    db: Database,
    objects: ObjectStore,
    signer: LogSigner,
    *,
    now_ms: int = 0,  # noqa: ARG001 (a checkpoint carries no time; every operation that changes state is told it)
    observer: Observer = lambda _: None,
) -> Checkpoint:
    """The newest checkpoint, once every entry that had a position when this began is out under it.

    Also signs the empty log at first, completes what an interrupted publish left, and may run in several processes.
    ``observer`` hears
    each step once it is done: the key of each tile and bundle, ``swapped`` (the database has the checkpoint), and at
    last ``checkpoint`` (the file has it).

    Raises:
        StorageError: the stored tiles or checkpoint are not those of this log; nothing is signed on top of them.
        StorageFull: no space; publishing again goes on where this stopped.
    """
    target = (await _head(db))["size"]
    while True:
        head = await _head(db)
        if not head["checkpoint"] or head["published_size"] < target:
            await _publish_batch(db, objects, signer, head=head, observer=observer)
            continue
        checkpoint = _own(head, signer)
        await _show(db, objects, checkpoint)
        observer("checkpoint")
        return checkpoint


async def _publish_batch(
    db: Database, objects: ObjectStore, signer: LogSigner, *, head: Row, observer: Observer
) -> None:
    edge = await read_edge(objects, _own(head, signer)) if head["checkpoint"] else RightEdge()
    if edge.size != head["published_size"]:
        raise StorageError("could not publish the log: its head does not agree with its checkpoint")
    # From the start of the partial bundle, since a bundle is written whole.
    start = edge.size - edge.size % WIDTH
    stop = min(head["size"], edge.size + BATCH)
    rows = await db.all(QUERIES["entries_between"], start=start, stop=stop)
    leaves = [row["leaf"].encode() for row in rows]
    if [row["position"] for row in rows] != list(range(start, stop)):
        raise StorageError("could not publish the log: entries are missing from the database")
    for leaf in leaves[edge.size - start :]:
        edge.add(leaf_hash(leaf))
    for tile, data in edge.take_tiles():
        await objects.put(tile.key, data, create=True)
        observer(tile.key)
    for at in range(0, len(leaves), WIDTH):
        bundle = leaves[at : at + WIDTH]
        key = entries_key((start + at) // WIDTH, len(bundle))
        await objects.put(key, pack_entries(bundle), create=True)
        observer(key)
    checkpoint = signer.sign_checkpoint(edge.size, edge.root())
    await db.run(
        QUERIES["swap_checkpoint"],
        published_size=checkpoint.size,
        checkpoint=checkpoint.text,
        old_size=head["published_size"],
        old_checkpoint=head["checkpoint"],
    )
    observer("swapped")


async def _show(db: Database, objects: ObjectStore, checkpoint: Checkpoint) -> None:
    """Puts the checkpoint file, and again while a faster publisher has a newer one: it must never end up older."""
    text = checkpoint.text
    while True:
        if await _shown(objects) != text:
            await objects.put("checkpoint", text.encode(), create=False)
        newest = (await _head(db))["checkpoint"]
        if newest == text:
            return
        text = newest


async def _shown(objects: ObjectStore) -> str:
    try:
        return (await objects.get("checkpoint")).decode("utf-8", "replace")
    except EntryNotFound:
        return ""


async def prove(db: Session, objects: ObjectStore, *, position: int) -> Proof:
    """The inclusion proof of an entry under the newest checkpoint; its ``extra`` is the nonce.

    Raises:
        EntryNotFound: no entry has this position.
        Conflict: it has, and is not published yet.
        StorageError: the log's tiles are damaged.
    """
    row = await db.one(QUERIES["entry_by_position"], position=position)
    if row is None:
        raise EntryNotFound(f"could not prove entry {position}: the log has none")
    entry = _entry(row)
    checkpoint = await published(db)
    if checkpoint is None or position >= checkpoint.size:
        raise Conflict(f"could not prove entry {position}: it is not published yet", hint="Publish the log first.")
    reader = TileReader(objects, checkpoint.size)
    hashes = tuple([await reader.root_of(*span) for span in inclusion_ranges(position, checkpoint.size)])
    try:
        verify_inclusion(leaf_hash(entry.leaf), checkpoint, position=position, hashes=hashes)
    except VerificationFailed as error:
        raise StorageError(f"could not prove entry {position}: the log's tiles are damaged", hint=DAMAGED) from error
    return Proof(position=position, hashes=hashes, checkpoint=checkpoint.text, extra=entry.nonce)


async def prove_consistency(objects: ObjectStore, *, old_size: int, new_size: int) -> tuple[bytes, ...]:
    """Hashes that show a tree of ``new_size`` entries to begin with the one of ``old_size``; both were published.

    Raises:
        Conflict: not ``0 < old_size <= new_size``.
        StorageError: the log's tiles are damaged.
    """
    if not 0 < old_size <= new_size:
        raise Conflict(f"could not prove that a log of {new_size} entries begins with {old_size}")
    reader = TileReader(objects, new_size)
    return tuple([await reader.root_of(*span) for span in consistency_ranges(old_size, new_size)])


def _own(head: Row, signer: LogSigner) -> Checkpoint:
    try:
        return open_checkpoint(head["checkpoint"], signer.key)
    except VerificationFailed as error:
        raise StorageError(
            f"could not publish the log: its last checkpoint is not one that this key signed for {signer.origin}",
            hint="A log keeps its origin and its key for life: start with the key file and the settings it had.",
        ) from error


async def _head(db: Session) -> Row:
    row = await db.one(QUERIES["head"])
    if row is None:
        raise StorageError("could not read the log: its head is missing from the database")
    return row


def _entry(row: Row) -> Entry:
    return Entry(position=row["position"], leaf=row["leaf"].encode(), nonce=bytes.fromhex(row["nonce"]))
