"""Hashes and tiles against RFC 6962 itself, written down naively."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weighbridge.errors import InvalidInput
from weighbridge.tlog.tiles import (
    EMPTY_ROOT,
    WIDTH,
    RightEdge,
    Tile,
    edge_tiles,
    entries_key,
    leaf_hash,
    pack_entries,
    split_tile,
    tile_at,
    tile_key,
    unpack_entries,
)


def naive_root(entries: list[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1, word for word."""
    if not entries:
        return hashlib.sha256(b"").digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    split = 1
    while split * 2 < len(entries):
        split *= 2
    return hashlib.sha256(b"\x01" + naive_root(entries[:split]) + naive_root(entries[split:])).digest()


def grown(entries: list[bytes]) -> RightEdge:
    edge = RightEdge()
    for entry in entries:
        edge.add(leaf_hash(entry))
    return edge


# The reference vectors of Certificate Transparency's implementations.
CT_ENTRIES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
CT_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def test_the_reference_vectors():
    for size, root in enumerate(CT_ROOTS, start=1):
        assert grown(CT_ENTRIES[:size]).root().hex() == root
    assert RightEdge().root() == EMPTY_ROOT == naive_root([])
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@given(st.integers(0, 1200))
@settings(max_examples=30, deadline=None)
def test_any_size_has_the_root_of_the_rfc(size: int):
    entries = [b"%d" % number for number in range(size)]
    assert grown(entries).root() == naive_root(entries)


def test_two_levels_of_tiles():
    """65,536 + 300 entries: level 1 fills a tile, and level 2 begins."""
    entries = [b"%d" % number for number in range(65_836)]
    edge = grown(entries)
    assert edge.root() == naive_root(entries)
    tiles = dict(edge.take_tiles())
    assert {tile.level: tile for tile in tiles if tile.width < WIDTH} == {
        0: Tile(level=0, index=257, width=44),
        1: Tile(level=1, index=1, width=1),
        2: Tile(level=2, index=0, width=1),
    }
    assert sum(tile.level == 0 for tile in tiles) == 258
    assert tiles[Tile(level=2, index=0, width=1)] == naive_root(entries[:65_536])
    assert tiles[Tile(level=1, index=0, width=256)][-32:] == naive_root(entries[65_280:65_536])


@given(st.integers(0, 700), st.integers(0, 700))
@settings(max_examples=40, deadline=None)
def test_an_edge_grows_on_from_its_tiles(first: int, more: int):
    entries = [b"%d" % number for number in range(first + more)]
    written = dict(grown(entries[:first]).take_tiles())
    rows = {tile.level: split_tile(written[tile], width=tile.width) for tile in edge_tiles(first)}
    edge = RightEdge.restore(first, rows)
    assert edge.root() == naive_root(entries[:first])
    for entry in entries[first:]:
        edge.add(leaf_hash(entry))
    assert edge.root() == naive_root(entries)
    tiles = dict(edge.take_tiles())
    assert all(dict(grown(entries).take_tiles())[tile] == data for tile, data in tiles.items())
    for tile, data in tiles.items():
        step = WIDTH**tile.level
        for number, value in enumerate(split_tile(data, width=tile.width)):
            start = (tile.index * WIDTH + number) * step
            assert value == naive_root(entries[start : start + step])


def test_the_partial_tiles_of_the_specification():
    """c2sp.org/tlog-tiles: a tree of 70,000, and one of 256."""
    assert edge_tiles(70_000) == [
        Tile(level=0, index=273, width=112),
        Tile(level=1, index=1, width=17),
        Tile(level=2, index=0, width=1),
    ]
    assert edge_tiles(256) == [Tile(level=1, index=0, width=1)]
    assert edge_tiles(0) == []


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (tile_key("0", 0, 256), "tile/0/000"),
        (tile_key("1", 1234067, 256), "tile/1/x001/x234/067"),
        (tile_key("0", 999, 255), "tile/0/999.p/255"),
        (tile_key("0", 1000, 256), "tile/0/x001/000"),
        (tile_key("0", 1_000_000, 1), "tile/0/x001/x000/000.p/1"),
        (entries_key(273, 112), "tile/entries/273.p/112"),
        (Tile(level=2, index=0, width=1).key, "tile/2/000.p/1"),
    ],
)
def test_paths(key: str, expected: str):
    assert key == expected


def test_tiles_that_a_tree_does_not_have_are_refused():
    assert tile_at(0, 1, size=300).width == 44
    for level, index, size in ((0, 2, 300), (0, 0, 0), (1, 0, 255), (0, 1, 256)):
        with pytest.raises(InvalidInput):
            tile_at(level, index, size=size)
    for length in (0, 31, 33, 64):
        with pytest.raises(InvalidInput):
            split_tile(bytes(length), width=1)


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_bundles_are_read_back(entries: list[bytes]):
    data = pack_entries(entries)
    assert unpack_entries(data, count=len(entries)) == entries
    for count in {len(entries) + 1, len(entries) - 1} - {-1}:
        with pytest.raises(InvalidInput):
            unpack_entries(data, count=count)


@given(st.binary(max_size=60), st.integers(0, 5))
def test_no_bytes_break_the_bundle_reader(data: bytes, count: int):
    try:
        entries = unpack_entries(data, count=count)
    except InvalidInput:
        return
    assert pack_entries(entries) == data


def test_an_entry_has_at_most_65535_bytes():
    assert len(pack_entries([bytes(65_535)])) == 65_537
    with pytest.raises(InvalidInput):
        pack_entries([bytes(65_536)])
