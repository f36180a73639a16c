"""Hashes of a published tree, read from its tiles: what proofs are made of, and where the tree grows on."""

from __future__ import annotations

from weighbridge.errors import EntryNotFound, InvalidInput, StorageError
from weighbridge.storage.objects import ObjectStore
from weighbridge.tlog.note import Checkpoint
from weighbridge.tlog.tiles import (
    WIDTH,
    RightEdge,
    Tile,
    edge_tiles,
    node_hash,
    perfect_root,
    split_tile,
    tile_at,
)

DAMAGED = "The log's files are damaged: restore `tlog/` from a backup. Nothing more is logged until then."


class TileReader:
    """The tree of ``size`` entries. Holds each tile it has read: make one for each proof, not one for all time."""

    def __init__(self, objects: ObjectStore, size: int) -> None:
        self._objects = objects
        self._size = size
        self._tiles: dict[Tile, list[bytes]] = {}

    async def root_of(self, low: int, high: int) -> bytes:
        """Root over the entries ``low`` to ``high`` (exclusive): an aligned subtree, or one that ends with the tree."""
        roots: list[bytes] = []
        while low < high:
            run = 1 << ((high - low).bit_length() - 1)
            roots.append(await self._perfect(low, run.bit_length() - 1))
            low += run
        root = roots.pop()
        while roots:
            root = node_hash(roots.pop(), root)
        return root

    async def tile(self, tile: Tile) -> list[bytes]:
        """The tile's hashes. Raises: StorageError, when it is missing or has another length."""
        if tile not in self._tiles:
            data = await read_partial(self._objects, tile.key, tile_at_full(tile).key)
            try:
                self._tiles[tile] = split_tile(data[: tile.width * 32], width=tile.width)
            except InvalidInput as error:
                raise StorageError(f"could not read the log: {error.message}", hint=DAMAGED) from error
        return self._tiles[tile]

    async def _perfect(self, low: int, height: int) -> bytes:
        level, rest = divmod(height, 8)
        first = low >> (8 * level)
        hashes = await self.tile(tile_at(level, first // WIDTH, size=self._size))
        start = first % WIDTH
        return perfect_root(hashes[start : start + (1 << rest)])


def tile_at_full(tile: Tile) -> Tile:
    """The same place when full."""
    return Tile(level=tile.level, index=tile.index, width=WIDTH)


async def read_partial(objects: ObjectStore, key: str, full_key: str) -> bytes:
    """The partial file, or the full one that took its place. Raises: StorageError, when neither is there."""
    for candidate in (key, full_key):
        try:
            return await objects.get(candidate)
        except EntryNotFound:
            continue
    raise StorageError(f"could not read the log: {key} is missing", hint=DAMAGED)


async def read_edge(objects: ObjectStore, checkpoint: Checkpoint) -> RightEdge:
    """The tree's right edge, checked against its root.

    Raises:
        StorageError: tiles are missing, or are not those of the checkpoint: nothing may be signed on top of them.
    """
    reader = TileReader(objects, checkpoint.size)
    rows = {tile.level: await reader.tile(tile) for tile in edge_tiles(checkpoint.size)}
    edge = RightEdge.restore(checkpoint.size, rows)
    if edge.root() != checkpoint.root:
        raise StorageError("could not read the log: its tiles do not give the signed root", hint=DAMAGED)
    return edge
