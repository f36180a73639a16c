"""The Merkle tree of RFC 6962 and its C2SP tiles: hashes, paths, and a tree that grows at its right edge. All pure.

A tile of level L holds up to 256 hashes, each of a full tile of level L-1 (of one entry at level 0). The tree's state
is its right edge: of each level the hashes that do not fill a tile yet, so growing it never reads the rest.

    edge = RightEdge()
    for entry in entries: edge.add(leaf_hash(entry))
    edge.size, edge.root(), edge.take_tiles()
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from weighbridge.errors import InvalidInput

WIDTH = 256
HASH_BYTES = 32
MOST_ENTRY_BYTES = 0xFFFF
EMPTY_ROOT = hashlib.sha256(b"").digest()


class Tile(msgspec.Struct, frozen=True, kw_only=True):
    """One tile's place: ``width`` hashes, 256 when full."""

    level: int
    index: int
    width: int

    @property
    def key(self) -> str:
        """Its path under the log's URL."""
        return tile_key(str(self.level), self.index, self.width)


def leaf_hash(entry: bytes) -> bytes:
    """sha256(0x00 ‖ entry), RFC 6962 section 2.1."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """sha256(0x01 ‖ left ‖ right), RFC 6962 section 2.1."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def perfect_root(hashes: Sequence[bytes]) -> bytes:
    """Root over 1, 2, 4, 8, … hashes."""
    row = list(hashes)
    while len(row) > 1:
        row = [node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)]
    return row[0]


def tile_key(level: str, index: int, width: int) -> str:
    """``tile/<level>/<index>[.p/<width>]``; ``level`` is a number or ``entries``; index 1234067 is x001/x234/067."""
    parts = [f"{index % 1000:03d}"]
    while index := index // 1000:
        parts.insert(0, f"x{index % 1000:03d}")
    partial = f".p/{width}" if width < WIDTH else ""
    return f"tile/{level}/{'/'.join(parts)}{partial}"


def entries_key(index: int, width: int) -> str:
    """Path of the bundle of entries ``256 * index`` and on."""
    return tile_key("entries", index, width)


def tile_at(level: int, index: int, *, size: int) -> Tile:
    """The tile as it is in a tree of ``size`` entries. Raises: InvalidInput, when the tree does not reach it."""
    width = min(WIDTH, (size >> (8 * level)) - index * WIDTH)
    if width < 1:
        raise InvalidInput(f"could not name tile {level}/{index}: a tree of {size} entries has none")
    return Tile(level=level, index=index, width=width)


def edge_tiles(size: int) -> list[Tile]:
    """The partial tiles of a tree of ``size`` entries, from level 0 upwards."""
    tiles: list[Tile] = []
    level = 0
    while size >> (8 * level):
        count = size >> (8 * level)
        if width := count % WIDTH:
            tiles.append(Tile(level=level, index=count // WIDTH, width=width))
        level += 1
    return tiles


def split_tile(data: bytes, *, width: int) -> list[bytes]:
    """The hashes of a tile. Raises: InvalidInput, when it has another length."""
    if len(data) != width * HASH_BYTES:
        raise InvalidInput(f"could not read a tile: it has {len(data)} bytes, not {width * HASH_BYTES}")
    return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]


def pack_entries(entries: Sequence[bytes]) -> bytes:
    """A bundle: each entry after its length, two bytes, big-endian."""
    for entry in entries:
        if len(entry) > MOST_ENTRY_BYTES:
            raise InvalidInput(f"could not log an entry: it has {len(entry)} bytes, {MOST_ENTRY_BYTES} at most")
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def unpack_entries(data: bytes, *, count: int) -> list[bytes]:
    """The entries of a bundle. Raises: InvalidInput, unless it holds exactly ``count``."""
    entries: list[bytes] = []
    at = 0
    while at < len(data) and len(entries) < count:
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if at + 2 > len(data) or end > len(data):
            break
        entries.append(data[at + 2 : end])
        at = end
    if at != len(data) or len(entries) != count:
        raise InvalidInput(f"could not read a bundle of entries: it does not hold exactly {count}")
    return entries


class RightEdge:
    """A tree that can only grow: per level the hashes of its partial tile. Not shared between tasks."""

    def __init__(self) -> None:
        self.size = 0
        self._rows: list[list[bytes]] = []
        self._full: dict[Tile, bytes] = {}

    @classmethod
    def restore(cls, size: int, rows: dict[int, list[bytes]]) -> RightEdge:
        """The edge of a tree of ``size`` entries from the hashes of ``edge_tiles(size)``, by level."""
        edge = cls()
        edge.size = size
        edge._rows = [rows.get(level, []) for level in range(max(rows, default=-1) + 1)]
        return edge

    def add(self, leaf: bytes) -> None:
        """Adds one leaf hash at the right."""
        self.size += 1
        self._push(0, leaf)

    def _push(self, level: int, value: bytes) -> None:
        if level == len(self._rows):
            self._rows.append([])
        row = self._rows[level]
        row.append(value)
        if len(row) == WIDTH:
            index = (self.size >> (8 * (level + 1))) - 1
            self._full[Tile(level=level, index=index, width=WIDTH)] = b"".join(row)
            self._rows[level] = []
            self._push(level + 1, perfect_root(row))

    def root(self) -> bytes:
        """The tree's root: its perfect subtrees joined from the right, RFC 6962 section 2.1."""
        root: bytes | None = None
        for row in self._rows:
            end = len(row)
            while end:
                run = end & -end  # the last perfect subtree within the row
                subtree = perfect_root(row[end - run : end])
                root = subtree if root is None else node_hash(subtree, root)
                end -= run
        return EMPTY_ROOT if root is None else root

    def take_tiles(self) -> list[tuple[Tile, bytes]]:
        """The tiles that filled since the last call, then the partial ones as they stand."""
        full, self._full = list(self._full.items()), {}
        return full + [(tile, b"".join(self._rows[tile.level])) for tile in edge_tiles(self.size)]
