from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from weighbridge.errors import UnprocessableFile
from weighbridge.hub.paths import check_hub_path, check_path, check_paths, is_reserved

GOOD = [
    "README.md",
    "a/b/c.txt",
    "ä/ö.txt",
    "日本.txt",
    "sp ace",
    ".gitattributes",
    ".github/x",
    "..a",
    "a..b",
    "model.sig.txt",
    "x/model.sig",
    "release",
    "git",
    "a.git",
    "x" * 1024,
]
BAD = {
    "": "empty",
    "/etc/passwd": "starts or ends",
    "a/": "starts or ends",
    "a//b": "'//'",
    "../x": r"'\.\.'",
    "a/../b": r"'\.\.'",
    "./a": r"'\.'",
    "a\\b": "backslash",
    "a\nb": "control",
    "a\x00b": "control",
    "a\x7fb": "control",
    "a\x85b": "control",
    "a\u0308": "NFC",
    "x\ud800": "Unicode",
    ".git/config": r"'\.git'",
    "a/.GIT/x": r"'\.git'",
    "x" * 1025: "1,024 bytes",
    "ä" * 513: "1,024 bytes",
    "model.sig": "reserved",
    "Model.SIG": "reserved",
    ".release/x": "reserved",
    ".RELEASE": "reserved",
    ".eval_results/a.yaml": "reserved",
    ".cache/huggingface": "reserved",
}


@pytest.mark.parametrize("path", GOOD)
def test_a_good_path_is_given_back(path: str) -> None:
    assert check_path(path) == path


@pytest.mark.parametrize("path", BAD)
def test_a_bad_path_is_refused_with_the_rule(path: str) -> None:
    with pytest.raises(UnprocessableFile, match=BAD[path]) as caught:
        check_path(path)
    caught.value.message.encode()  # it can be sent, whatever the path was


@pytest.mark.parametrize(
    ("paths", "reason"),
    [
        (["a", "a"], "twice"),
        (["a", "A"], "case"),
        (["Dir/a", "dir/b"], "case"),
        (["straße", "STRASSE"], "case"),
        (["a", "a/b"], "folder too"),
        (["a/b", "a"], "folder too"),
    ],
)
def test_paths_that_cannot_stand_together_are_refused(paths: list[str], reason: str) -> None:
    with pytest.raises(UnprocessableFile, match=reason):
        check_paths(paths)


def test_too_many_files_are_refused() -> None:
    with pytest.raises(UnprocessableFile, match="100,000"):
        check_paths(str(number) for number in range(100_001))


def test_what_the_hub_adds_lies_in_reserved_paths_only() -> None:
    assert check_hub_path(".release/SHA256SUMS")
    assert check_hub_path("model.sig")
    for path in ("README.md", ".cache/x", ".release/../x"):
        with pytest.raises(UnprocessableFile):
            check_hub_path(path)


@given(st.text(max_size=30))
def test_an_accepted_path_stays_inside_of_a_folder(path: str) -> None:
    try:
        check_path(path)
    except UnprocessableFile:
        return
    parts = path.split("/")
    assert all(part not in ("", ".", "..") and part.lower() != ".git" for part in parts)
    assert not is_reserved(path)
    assert "\\" not in path
    assert path.isprintable() or not any(ord(character) < 32 for character in path)


@pytest.mark.parametrize(
    "path", [".release /x", "model.sig.", "a./b", ".git\u200c/x", "con", "weights/NUL.txt", "a\u202eb.txt"]
)
def test_names_that_another_system_reads_otherwise(path):
    with pytest.raises(UnprocessableFile):
        check_path(path)


@pytest.mark.parametrize("path", ["console.txt", "a.b/c", "com10", "weights/auxiliary.bin", ".gitignore"])
def test_names_that_only_look_like_those(path):
    assert check_path(path) == path
