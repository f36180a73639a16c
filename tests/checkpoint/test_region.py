"""Bounded reading: nothing outside, nothing that is no regular file, nothing larger than a window at once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.checkpoint.made import model_file, region
from weighbridge.checkpoint import Malformed, ModelFile, open_region
from weighbridge.checkpoint.region import MAX_READ_BYTES, WINDOW_BYTES, Cursor, Region


def test_reads_a_file(tmp_path: Path):
    with open_region(model_file(tmp_path, "a", b"0123456789")) as whole:
        assert whole.read(2, 3) == b"234"
        assert whole.part(2, 5).read(1, 2) == b"34"
        assert (whole.head(99), whole.tail(2)) == (b"0123456789", b"89")
        with pytest.raises(Malformed):
            whole.part(2, 5).read(4, 2)


@pytest.mark.parametrize(("offset", "count"), [(9, 2), (-1, 1), (0, -1), (2**70, 1), (0, 2**70)])
def test_reads_nothing_outside(offset: int, count: int):
    with pytest.raises(Malformed):
        region(b"0123456789").read(offset, count)
    with pytest.raises(Malformed):
        region(b"0123456789").part(offset, count)


def test_one_read_is_bounded():
    endless = Region(lambda _, count: bytes(count), size_bytes=1 << 50)
    with pytest.raises(Malformed, match="in one piece"):
        endless.read(0, MAX_READ_BYTES + 1)


def test_a_link_is_not_followed(tmp_path: Path):
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    with (
        pytest.raises(Malformed, match="could not be opened"),
        open_region(ModelFile(path="link", local_path=tmp_path / "link", size_bytes=6)),
    ):
        pass


def test_a_pipe_does_not_hang(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    with (
        pytest.raises(Malformed, match="not a regular file"),
        open_region(ModelFile(path="pipe", local_path=tmp_path / "pipe", size_bytes=0)),
    ):
        pass


@pytest.mark.parametrize("name", [".", "absent"])
def test_a_folder_and_an_absent_file_are_refused(tmp_path: Path, name: str):
    with pytest.raises(Malformed), open_region(ModelFile(path="x", local_path=tmp_path / name, size_bytes=0)):
        pass


def test_another_size_than_announced_is_refused(tmp_path: Path):
    file = model_file(tmp_path, "a", b"0123456789")
    (tmp_path / "a").write_bytes(b"01234")
    with pytest.raises(Malformed, match="has 5 bytes, announced were 10"), open_region(file):
        pass


def test_a_file_that_shrinks_while_it_is_read(tmp_path: Path):
    with open_region(model_file(tmp_path, "a", b"0123456789")) as whole:
        (tmp_path / "a").write_bytes(b"01234")
        with pytest.raises(Malformed, match="became shorter"):
            whole.read(4, 4)


@given(st.lists(st.integers(0, 40), max_size=30))
def test_a_cursor_gives_the_bytes_in_order(counts: list[int]):
    data = bytes(range(256)) * 2
    cursor = Cursor(region(data))
    position = 0
    for count in counts:
        if position + count > len(data):
            with pytest.raises(Malformed):
                cursor.take(count)
            return
        assert cursor.take(count) == data[position : position + count]
        position += count
    assert cursor.at_byte == position


@given(st.lists(st.text(alphabet="ab", max_size=400), max_size=5))
def test_a_cursor_gives_lines(lines: list[str]):
    cursor = Cursor(region("".join(f"{line}\n" for line in lines).encode() + b"rest"))
    assert [cursor.line(max_bytes=1000).decode() for _ in lines] == lines
    assert cursor.take(4) == b"rest"
    with pytest.raises(Malformed):
        cursor.line(max_bytes=1000)


def test_a_cursor_goes_on_behind_a_large_piece():
    data = os.urandom(3 * WINDOW_BYTES)
    cursor = Cursor(region(data))
    assert cursor.take(10) == data[:10]
    assert cursor.take(2 * WINDOW_BYTES) == data[10 : 2 * WINDOW_BYTES + 10]
    cursor.skip(5)
    assert cursor.take(7) == data[2 * WINDOW_BYTES + 15 : 2 * WINDOW_BYTES + 22]
    with pytest.raises(Malformed):
        cursor.skip(WINDOW_BYTES)


def test_offsets_of_a_part_are_those_of_the_file():
    cursor = Cursor(region(bytes(100)).part(40, 20))
    cursor.skip(5)
    assert cursor.at_byte == 45
