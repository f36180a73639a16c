from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import msgspec
import pytest

from tests.hub.conftest import NOW_MS, commit, new_file, person
from weighbridge.accounts import Reader
from weighbridge.errors import (
    Conflict,
    DigestMismatch,
    EntryNotFound,
    InvalidInput,
    PreconditionFailed,
    RevisionNotFound,
    TooLarge,
    UnprocessableFile,
)
from weighbridge.hub.commit import create_author_commit, create_release_commit, find_commit
from weighbridge.hub.files import File, all_files, card_file, find_file, list_tree, paths_info
from weighbridge.hub.git import blob_oid, lfs_pointer
from weighbridge.hub.repo import Repo
from weighbridge.hub.upload import have, record_upload
from weighbridge.storage.sqlite import SqliteDatabase

README = b"---\nlicense: mit\n---\n# Tiny\n"
FILES = {
    "README.md": README,
    ".gitattributes": b"*.bin filter=lfs\n",
    "a/b/config.json": b"{}\n",
    "a/weights.safetensors": b"\xff\x00weights",
    "a.bin": b"text, and yet LFS",
}


async def test_the_objects_of_a_commit_are_those_that_git_makes_of_the_files(
    db: SqliteDatabase, repo: Repo, alice: Reader, tmp_path: Path
) -> None:
    made = await commit(db, repo, alice.require_account(), FILES)

    def git(*arguments: str, data: bytes | None = None) -> str:
        done = subprocess.run(["git", *arguments], cwd=tmp_path, input=data, capture_output=True, check=True)
        return done.stdout.decode().rstrip("\n")

    git("init", "-q")
    for path, data in FILES.items():
        is_lfs = path.endswith((".bin", ".safetensors"))
        bytes_in_git = lfs_pointer(hashlib.sha256(data).hexdigest(), len(data)) if is_lfs else data
        oid = git("hash-object", "-w", "--stdin", data=bytes_in_git)
        git("update-index", "--add", "--cacheinfo", f"100644,{oid},{path}")
    tree = git("write-tree")
    assert made.tree_oid == tree
    files = await all_files(db, made)
    there = [line.split() for line in git("ls-tree", "-r", "-t", tree).splitlines()]
    page = await list_tree(db, made, recursive=True)
    assert {file.path: file.oid for file in page.files} == {path: oid for _, _, oid, path in there}
    row = await db.one("SELECT object FROM git_commit WHERE oid = :oid", oid=made.oid)
    assert row
    assert git("hash-object", "-t", "commit", "--stdin", data=row["object"].encode()) == made.oid
    assert {file.path: file.kind for file in files} == {
        "README.md": "file", ".gitattributes": "file", "a/b/config.json": "file", "a/weights.safetensors": "lfs",
        "a.bin": "lfs",
    }  # fmt: skip


async def test_a_commit_tells_its_title_card_and_sizes(db: SqliteDatabase, repo: Repo, alice: Reader) -> None:
    made = await commit(db, repo, alice.require_account(), FILES, message="  Title \r\n\r\n body\0 \n")
    assert (made.title, made.message, made.card) == ("Title", "body", {"license": "mit"})
    assert (made.file_count, made.size_bytes) == (5, sum(map(len, FILES.values())))
    assert await find_commit(db, repo, made.oid) == made
    empty = await commit(db, repo, alice.require_account(), {"x": b"1"}, message=" ")
    assert (empty.title, empty.message, empty.parent_oid, empty.card) == ("Update", "", made.oid, {})


async def test_the_same_files_again_are_the_same_commit(db: SqliteDatabase, repo: Repo, alice: Reader) -> None:
    first = await commit(db, repo, alice.require_account(), FILES)
    again = await commit(db, repo, alice.require_account(), FILES, at_ms=NOW_MS + 99_000, message="other words")
    assert again == first


async def test_bytes_that_were_not_brought_here_cannot_be_named(db: SqliteDatabase, repo: Repo, alice: Reader) -> None:
    """Else knowing a sha256 would give the bytes."""
    bob = await person(db, "bob")
    file = new_file("secret.bin", b"\x00 of bob")
    await record_upload(db, repo, bob.require_account().id, sha256=file.sha256, git_oid=file.git_oid,
                        size_bytes=file.size_bytes, is_text=False, now_ms=NOW_MS)  # fmt: skip
    assert await have(db, repo, alice, [file.sha256, "0" * 64]) == {}
    with pytest.raises(EntryNotFound, match=r"secret\.bin"):
        async with db.transaction() as tx:
            await create_author_commit(tx, repo, [file], message="x", author=alice.require_account(), now_ms=NOW_MS,
                                       texts={})  # fmt: skip
    assert not await db.all("SELECT 1 FROM revision_file WHERE sha256 = :sha256", sha256=file.sha256)


async def test_what_is_in_the_repo_need_not_be_brought_again(db: SqliteDatabase, repo: Repo, alice: Reader) -> None:
    made = await commit(db, repo, alice.require_account(), FILES)
    digests = [file.sha256 for file in await all_files(db, made)]
    told = await have(db, repo, alice, [*digests, "0" * 64])
    assert set(told) == set(digests)
    weights = FILES["a/weights.safetensors"]
    one = told[hashlib.sha256(weights).hexdigest()]
    assert (one.git_oid, one.size_bytes, one.is_text) == (blob_oid(weights), len(weights), False)


async def test_what_the_hub_added_to_a_release_is_not_had_by_its_writers(
    db: SqliteDatabase, repo: Repo, alice: Reader
) -> None:
    """The proof is the hub's; that somebody else brought the same bytes is no ground to tell of them."""
    candidate = await commit(db, repo, alice.require_account(), FILES)
    proof = new_file("model.sig", b"{}")
    bob = (await person(db, "bob")).require_account()
    async with db.transaction() as tx:
        await record_upload(tx, repo, bob.id, sha256=proof.sha256, git_oid=proof.git_oid, size_bytes=2, is_text=True,
                            now_ms=NOW_MS)  # fmt: skip
        await create_release_commit(tx, repo, candidate.oid, [proof], number=1, author=bob, now_ms=NOW_MS)
    assert await have(db, repo, alice, [proof.sha256]) == {}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"size_bytes": 3}, DigestMismatch),
        ({"git_oid": "0" * 40}, DigestMismatch),
        ({"is_text": False}, DigestMismatch),
        ({"path": "../x"}, UnprocessableFile),
        ({"path": ".release/x"}, UnprocessableFile),
        ({"sha256": "0" * 64}, EntryNotFound),
    ],
)
async def test_what_a_client_says_of_a_file_must_be_what_was_measured(
    db: SqliteDatabase, repo: Repo, alice: Reader, change: dict[str, object], error: type[Exception]
) -> None:
    await commit(db, repo, alice.require_account(), {"x": b"12"})
    file = msgspec.structs.replace(new_file("y", b"12"), **change)
    with pytest.raises(error):
        async with db.transaction() as tx:
            await create_author_commit(tx, repo, [file], message="x", author=alice.require_account(), now_ms=NOW_MS,
                                       texts={})  # fmt: skip


async def test_the_texts_of_card_and_attributes_must_be_the_files(
    db: SqliteDatabase, repo: Repo, alice: Reader
) -> None:
    author = alice.require_account()
    await commit(db, repo, author, FILES)
    files = [new_file(path, data) for path, data in FILES.items()]
    for texts, error in (({}, InvalidInput), ({"README.md": README, ".gitattributes": b"other"}, DigestMismatch)):
        with pytest.raises(error):
            async with db.transaction() as tx:
                await create_author_commit(tx, repo, files, message="x", author=author, now_ms=NOW_MS, texts=texts)
    with pytest.raises(UnprocessableFile, match="gitattributes"):
        await commit(db, repo, author, {".gitattributes": b"\x00"})
    with pytest.raises(TooLarge):
        await commit(db, repo, author, {"x": b"1"}, message="x" * 70_000)


async def test_a_branch_that_moved_or_is_not_there_is_no_parent(db: SqliteDatabase, repo: Repo, alice: Reader) -> None:
    author = alice.require_account()
    first = await commit(db, repo, author, FILES)
    second = await commit(db, repo, author, {"x": b"1"}, expected_parent=first.oid)
    with pytest.raises(PreconditionFailed, match="Please refresh"):
        await commit(db, repo, author, {"x": b"2"}, expected_parent=first.oid)
    assert (
        await commit(db, repo, author, {"x": b"1"}, expected_parent=first.oid)
    ) == second  # a lost answer, asked again
    with pytest.raises(RevisionNotFound):
        await commit(db, repo, author, {"x": b"3"}, branch="dev")


async def test_a_release_commit_is_the_candidates_files_and_the_proof(
    db: SqliteDatabase, repo: Repo, alice: Reader
) -> None:
    author = alice.require_account()
    candidate = await commit(db, repo, author, FILES)
    extra = [new_file("model.sig", b"{}"), new_file(".release/SHA256SUMS", b"sums\n"), new_file(".release/z.bin", b"z")]

    async def release(number: int, files=extra, oid: str = candidate.oid):
        async with db.transaction() as tx:
            return await create_release_commit(tx, repo, oid, files, number=number, author=author, now_ms=NOW_MS)

    made = await release(1)
    assert (made.kind, made.parent_oid, made.title, made.card) == ("release", None, "Release 1", {"license": "mit"})
    files = {file.path: file for file in (await list_tree(db, made, recursive=True)).files}
    for file in (await list_tree(db, candidate, recursive=True)).files:
        assert files.pop(file.path) == file
    assert set(files) == {"model.sig", ".release", ".release/SHA256SUMS", ".release/z.bin"}
    assert files[".release/z.bin"].kind == "lfs"  # the candidate's attributes hold for what is added too
    assert await release(1) == made
    with pytest.raises(Conflict):
        await release(1, [new_file("model.sig", b"other")])
    with pytest.raises(RevisionNotFound):
        await release(2, oid=made.oid)
    with pytest.raises(UnprocessableFile):
        await release(2, [new_file("README.md", b"other")])


async def test_trees_are_listed_by_folder_and_page(db: SqliteDatabase, repo: Repo, alice: Reader) -> None:
    files = {f"d/{name}/{number}.txt": b"%d" % number for name in "ab" for number in range(3)} | {
        "top": b"t",
        "d0": b"0",
    }
    made = await commit(db, repo, alice.require_account(), files)

    async def names(**options) -> list[str]:
        found: list[File] = []
        after: str | None = ""
        while after is not None:
            page = await list_tree(db, made, after=after, limit=2, **options)
            found += page.files
            after = page.next_after
        return [file.path for file in found]

    assert await names() == ["d", "d0", "top"]
    assert await names(folder="d") == ["d/a", "d/b"]
    assert await names(folder="/d/a/") == ["d/a/0.txt", "d/a/1.txt", "d/a/2.txt"]
    assert await names(folder="d", recursive=True) == [
        "d/a", "d/a/0.txt", "d/a/1.txt", "d/a/2.txt", "d/b", "d/b/0.txt", "d/b/1.txt", "d/b/2.txt",
    ]  # fmt: skip
    assert len(await names(recursive=True)) == 11
    for folder in ("nothing", "top", "D"):
        with pytest.raises(EntryNotFound):
            await list_tree(db, made, folder=folder)
        with pytest.raises(EntryNotFound):
            await list_tree(db, made, folder=folder, recursive=True)


async def test_files_are_found_by_path(db: SqliteDatabase, repo: Repo, alice: Reader) -> None:
    made = await commit(db, repo, alice.require_account(), FILES)
    assert (await find_file(db, made, "a.bin")).pointer_size_bytes == len(lfs_pointer("0" * 64, 17))
    for path in ("A.bin", "a", "", "never"):
        with pytest.raises(EntryNotFound):
            await find_file(db, made, path)
    asked = ["never", "a/", "a.bin", "a.bin", "README.md"]
    assert [file.path for file in await paths_info(db, made, asked)] == ["a", "a.bin", "README.md"]
    assert await paths_info(db, made, []) == []
    card = await card_file(db, made)
    assert card is not None
    assert card.sha256 == hashlib.sha256(README).hexdigest()


async def test_a_revision_of_many_files_is_written_and_listed(db: SqliteDatabase, repo: Repo, alice: Reader) -> None:
    files = {f"f{number % 7}/{number}.txt": b"%d" % number for number in range(700)}
    made = await commit(db, repo, alice.require_account(), files)
    assert {file.path for file in await all_files(db, made)} == set(files)
    assert len(await paths_info(db, made, files)) == 700
