"""Our object ids are git's: every case is asked of the real ``git``."""

from __future__ import annotations

import subprocess
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from weighbridge.errors import UnprocessableFile
from weighbridge.hub.git import GITATTRIBUTES, LfsPatterns, blob_hasher, blob_oid, commit_object, lfs_pointer, root_tree
from weighbridge.hub.paths import check_paths

names = st.text(st.sampled_from("aB0-._é~ +"), min_size=1, max_size=4).filter(lambda name: name not in (".", ".."))
paths = st.lists(names, min_size=1, max_size=4).map("/".join)


def git(folder: Path, *arguments: str, data: bytes | None = None) -> str:
    command = ["git", "-c", "core.quotepath=off", "-c", "core.protectNTFS=false", *arguments]
    done = subprocess.run(command, cwd=folder, input=data, capture_output=True, check=True)
    return done.stdout.decode().rstrip("\n")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("git")
    git(folder, "init", "-q")
    return folder


def is_usable(files: dict[str, bytes]) -> bool:
    try:
        check_paths(files)
    except UnprocessableFile:
        return False
    return True


def index_tree(work: Path, blobs: dict[str, str]) -> str:
    """The tree that git itself writes for these paths and blob ids."""
    git(work, "read-tree", "--empty")
    lines = "".join(f"100644 {oid}\t{path}\0" for path, oid in blobs.items())
    git(work, "update-index", "-z", "--index-info", data=lines.encode())
    return git(work, "write-tree", "--missing-ok")


@given(st.binary(max_size=2000))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_blob_has_the_id_that_git_gives_it(work: Path, data: bytes) -> None:
    hasher = blob_hasher(len(data))
    for start in range(0, len(data), 100):
        hasher.update(data[start : start + 100])
    assert blob_oid(data) == hasher.hexdigest() == git(work, "hash-object", "--stdin", data=data)


@given(st.dictionaries(paths, st.binary(max_size=5), max_size=12).filter(is_usable))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_trees_have_the_ids_that_git_gives_them(work: Path, files: dict[str, bytes]) -> None:
    blobs = {path: blob_oid(data) for path, data in files.items()}
    trees = root_tree(blobs)
    tree = index_tree(work, blobs)
    assert trees.oid == tree
    there = git(work, "ls-tree", "-r", "-d", "-z", tree).split("\0")
    folders = {line.partition("\t")[2]: line.split()[2] for line in there if line}
    assert trees.folders == folders


def test_a_folder_sorts_as_if_its_name_ended_in_a_slash(work: Path) -> None:
    blobs = dict.fromkeys(("a-b", "a.b", "a0", "a/x", "ab"), blob_oid(b"x"))
    assert root_tree(blobs).oid == index_tree(work, blobs)


@pytest.mark.parametrize("parent", [None, "first"])
def test_a_commit_is_an_object_that_git_takes_as_its_own(work: Path, parent: str | None) -> None:
    tree = index_tree(work, {"a": git(work, "hash-object", "-w", "--stdin", data=b"x")})
    first, text = commit_object(tree, parent_oid=None, name="alice", at_s=1_700_000_000, message="First")
    oid = git(work, "hash-object", "-t", "commit", "-w", "--stdin", data=text.encode())
    assert oid == first
    if parent:
        message = "Zweite, mit Umlaut ä\n\nbody\n  indented"
        second, text = commit_object(tree, parent_oid=first, name="bob.b", at_s=1_700_000_001, message=message)
        assert git(work, "hash-object", "-t", "commit", "-w", "--stdin", data=text.encode()) == second
        assert git(work, "log", "-1", "--format=%P %an %ae %at", second) == (
            f"{first} bob.b bob.b@users.noreply.weighbridge 1700000001"
        )
        assert git(work, "log", "-1", "--format=%B", second).rstrip() == message
    git(work, "fsck", "--strict")


def test_an_lfs_pointer_is_as_the_git_lfs_specification_writes_it() -> None:
    pointer = lfs_pointer("ab" * 32, 12)
    assert pointer == b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"ab" * 32 + b"\nsize 12\n"


CASES = [
    "model.safetensors",
    "a/b/model.safetensors",
    "model.safetensors.json",
    "saved_model/x",
    "saved_model/a/b/c",
    "saved_model",
    "x/saved_model/a",
    "events.out.tfevents.1",
    "a.tar.gz",
    "tar",
    "README.md",
    "deep/x.lfs.y",
    "x.bin",
    "xbin",
    "a/.bin",
    "docs/a.md",
    "docs/x/a.md",
    "docs/x/y/a.md",
    "b/docs/a.md",
    "one/two/three",
    "[x]",
    "a?c",
    "abc",
    "a/c",
    "-x",
    "sp ace.txt",
    "tokenizer.json",
    "z/tokenizer.json",
    "q.txt",
    "r.txt",
    "s.txt",
]
RULES = [
    GITATTRIBUTES.decode(),
    "*.md filter=lfs\nREADME.md -filter\n",
    "docs/** filter=lfs\n",
    "docs/*.md filter=lfs\n/docs/x/** !filter\n",
    "**/a.md filter=lfs\n",
    "docs/**/a.md filter=lfs\n",
    "one/** filter=lfs\n/one/two/* filter=other\n",
    "a?c filter=lfs\n[qr].txt filter=lfs\n",
    "[!q].txt text filter=lfs -diff\n",
    '"sp ace.txt" filter=lfs\n',
    "# *.bin filter=lfs\n\\[x\\] filter=lfs\n",
    "*\tfilter=lfs\nz/ filter=other\n",
    "** filter=lfs\n",
    "one/two/** filter=lfs\none/two -filter\n",
]


@pytest.mark.parametrize("rules", RULES)
def test_gitattributes_say_of_lfs_what_git_says(work: Path, rules: str) -> None:
    (work / ".gitattributes").write_text(rules)
    said = git(work, "check-attr", "-z", "--stdin", "filter", data="\0".join(CASES).encode() + b"\0").split("\0")
    expected = {said[index]: said[index + 2] == "lfs" for index in range(0, len(said) - 2, 3)}
    patterns = LfsPatterns(rules)
    assert {path: patterns.matches(path) for path in CASES} == expected


def test_a_hostile_pattern_is_as_cheap_as_an_honest_one() -> None:
    patterns = LfsPatterns("*a" * 200 + "b filter=lfs\n" + "**/" * 200 + "b filter=lfs\n")
    assert not patterns.matches("a/" * 400 + "a" * 220)  # with exponential backtracking this would never end


def test_too_many_attribute_lines_are_refused() -> None:
    with pytest.raises(UnprocessableFile, match=r"1000 lines"):
        LfsPatterns("*.a filter=lfs\n" * 1001)
