from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.errors import InvalidInput
from weighbridge.evidence.sums import parse_sums, release_digest, sha256sums

A, B = "a" * 64, "b" * 64


def test_lines_are_sorted_by_the_bytes_of_the_path() -> None:
    text = sha256sums([("é", A), ("z", B), ("a/b", A), ("a.b", B)])
    assert [line[66:] for line in text.splitlines()] == ["a.b", "a/b", "z", "é"]
    assert release_digest(text) == hashlib.sha256(text.encode()).hexdigest()


def test_sha256sum_reads_it(tmp_path: Path) -> None:
    files = {"a b.txt": b"1", "sub/ü": b"2", "-c": b"3", "*": b"4"}
    for path, data in files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(data)
    text = sha256sums((path, hashlib.sha256(data).hexdigest()) for path, data in files.items())
    (tmp_path / "SHA256SUMS").write_text(text, encoding="utf-8")
    check = ["sha256sum", "--strict", "-c", "SHA256SUMS"]
    assert subprocess.run(check, cwd=tmp_path, capture_output=True).returncode == 0
    (tmp_path / "*").write_bytes(b"5")
    assert subprocess.run(check, cwd=tmp_path, capture_output=True).returncode == 1


@pytest.mark.parametrize(
    "path", ["", "/a", "a/", "a//b", "../a", "a/../b", ".", "a\nb", "a\\b", "\x7f", "\ud800", "x" * 1025]
)
def test_a_path_that_would_not_come_back_is_refused(path: str) -> None:
    with pytest.raises(InvalidInput):
        sha256sums([(path, A)])


def test_a_path_twice_or_a_digest_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidInput, match="twice"):
        sha256sums([("a", A), ("a", A)])
    with pytest.raises(InvalidInput, match="not a hex sha256"):
        sha256sums([("a", "A" * 64)])


paths = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\\/"), min_size=1, max_size=40)
names = st.lists(paths.filter(lambda part: part not in (".", "..")), min_size=1, max_size=3).map("/".join)


@given(st.dictionaries(names, st.sampled_from([A, B])))
def test_what_is_written_is_read_back(files: dict[str, str]) -> None:
    assert parse_sums(sha256sums(files.items())) == files


@given(st.text())
def test_any_other_text_is_refused(text: str) -> None:
    try:
        files = parse_sums(text)
    except InvalidInput:
        return
    assert sha256sums(files.items()) == text


@pytest.mark.parametrize("change", [f"{B}  a\n{A}  b\n{A}  a\n", f"{A}  b\n{A}  a\n", f"{A} *a\n", f"{A}  a", "x\n"])
def test_order_repeats_and_other_forms_are_refused(change: str) -> None:
    with pytest.raises(InvalidInput):
        parse_sums(change)
