"""No function of hub/ returns a byte ref, a file name, a size, a count or an existence that the design does not allow.

Random worlds (``machine.py``), an oracle that was written from the design's table alone (``facts.py``), and a search of
everything that came back for the marks of what must not be known.
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, settings

from tests.property.facts import Allowed, RepoFacts
from tests.property.machine import WorldMachine
from tests.property.world import READERS, WRITER, World
from weighbridge.accounts import Reader
from weighbridge.errors import (
    GatedRepo,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    RepoNotFound,
    RevisionNotFound,
    WithdrawnRelease,
)
from weighbridge.hub.access import (
    CardOnly,
    Gated,
    Hidden,
    Outline,
    Readable,
    Visible,
    Withdrawn,
    open_repo,
    require_listed,
    require_readable,
    visible_revision,
)
from weighbridge.hub.commit import Commit
from weighbridge.hub.files import all_files, card_file, list_tree, paths_info
from weighbridge.hub.gate import AccessStatus, access_requests, list_partners
from weighbridge.hub.history import Refs, visible_history, visible_refs
from weighbridge.hub.repo import list_visible_repos
from weighbridge.hub.upload import have
from weighbridge.storage.database import Database
from weighbridge.storage.sqlite import SqliteDatabase

KINDS = {"bytes": Readable, "list": Gated, "card": CardOnly, "withdrawn": Withdrawn}
READABLE_ERRORS = {
    "no-repo": RepoNotFound,
    "no-revision": RevisionNotFound,
    "withdrawn": WithdrawnRelease,
    "card": NotAllowed,
    "list": GatedRepo,
}


class Looker:
    """One reader's look at everything about one repo; keeps all that came back, to be searched for marks."""

    def __init__(self, world: World, who: str, name: str, reader: Reader) -> None:
        self.world, self.who, self.name, self.reader = world, who, name, reader
        self.facts: RepoFacts = world.facts.repos[name]
        self.db, self.repo = world.db, world.repos[name]
        self.seen: list[object] = []

    async def look(self) -> None:
        for revision in self.facts.revisions():
            await self.revision(revision, self.world.allowed(self.who, self.name, revision))
        await self.refs()
        await self.lists()
        await self.uploads()
        await self.writers_only()
        self.search()

    async def revision(self, revision: str, allowed: Allowed) -> None:
        if self.facts.exists:
            visible = await visible_revision(self.db, self.repo, revision, self.reader)
            self.check_visible(visible, allowed, revision)
            await self.check_requires(revision, allowed)
        try:
            repo, visible = await open_repo(self.db, "model", self.name.upper(), revision, self.reader)
        except NotFound as error:
            assert type(error) is READABLE_ERRORS[allowed.level]
            text = "Repository not found" if allowed.level == "no-repo" else f"Invalid rev id: {revision}"
            assert (error.message, error.hint) == (text, "")
            return
        assert repo.full_name == self.name
        self.check_visible(visible, allowed, revision)
        self.seen.append(visible)
        if not isinstance(visible, Hidden):
            await self.check_card(visible.revision, allowed)
        if isinstance(visible, Readable | Gated):
            await self.check_files(visible.revision)
        await self.check_history(revision, allowed)

    def check_visible(self, visible: Visible, allowed: Allowed, revision: str) -> None:
        told = f"{self.who} at {self.name}@{revision}: {visible} where {allowed} is allowed"
        if isinstance(visible, Hidden):
            assert allowed.level == f"no-{visible.level}", told
            return
        assert type(visible) is KINDS.get(allowed.level), told
        assert (visible.revision.oid, visible.release_number) == (allowed.oid, allowed.number), told
        if isinstance(visible, Gated):
            assert visible.reason == allowed.reason, told

    async def check_requires(self, revision: str, allowed: Allowed) -> None:
        for require, fine in ((require_readable, {"bytes"}), (require_listed, {"bytes", "list"})):
            if allowed.level in fine:
                commit = await require(self.db, self.repo, revision, self.reader)
                assert commit.oid == allowed.oid
            else:
                with pytest.raises(READABLE_ERRORS[allowed.level]) as caught:
                    await require(self.db, self.repo, revision, self.reader)
                assert type(caught.value) is READABLE_ERRORS[allowed.level]

    async def check_card(self, revision: Commit | Outline, allowed: Allowed) -> None:
        readme = self.facts.commits[allowed.oid].files.get("README.md")
        card = await card_file(self.db, revision)
        if readme is None or allowed.level == "withdrawn":
            assert card is None
        else:
            assert card is not None
            assert card.sha256 == hashlib.sha256(readme).hexdigest()

    async def check_files(self, commit: Commit) -> None:
        expected = self.facts.commits[commit.oid].files
        files = await all_files(self.db, commit)
        assert {file.path: (file.sha256, file.size_bytes) for file in files} == {
            path: (hashlib.sha256(data).hexdigest(), len(data)) for path, data in expected.items()
        }
        assert (commit.file_count, commit.size_bytes) == (len(expected), sum(map(len, expected.values())))
        tree: list[object] = []
        after: str | None = ""
        while after is not None:
            page = await list_tree(self.db, commit, recursive=True, after=after, limit=2)
            tree += page.files
            after = page.next_after
        assert [file for file in tree if file.kind != "directory"] == files
        everything = [
            path for facts in self.world.facts.repos.values() for one in facts.commits.values() for path in one.files
        ]
        there = await paths_info(self.db, commit, everything)
        assert {file.path for file in there} == set(expected)
        self.seen += [files, tree, there]

    async def check_history(self, revision: str, allowed: Allowed) -> None:
        got = await visible_history(self.db, self.repo, revision, self.reader)
        assert [commit.oid for commit in got] == self.history(allowed)
        assert await visible_history(self.db, self.repo, revision, self.reader, limit=2, skip=1) == got[1:3]
        self.seen.append(got)

    def history(self, allowed: Allowed) -> list[str]:
        if not self.world.facts.is_writer(self.who, self.facts):
            seen = self.world.facts.releases_seen(self.who, self.facts)
            return [one.oid for one in seen if one.number is not None and one.number <= (allowed.number or 0)]
        line = [allowed.oid]
        while allowed.level == "bytes" and (parent := self.facts.commits[line[-1]].parent):
            line.append(parent)
        return line

    async def refs(self) -> None:
        main = self.world.allowed(self.who, self.name, "main")
        if not self.facts.exists:
            return
        if main.level == "no-repo":
            with pytest.raises(RepoNotFound):
                await visible_refs(self.db, self.repo, self.reader)
            return
        refs = await visible_refs(self.db, self.repo, self.reader)
        self.seen.append(refs)
        assert _by_name(refs) == self.expected_refs()

    def expected_refs(self) -> dict[str, str]:
        names = [*self.facts.refs]
        if not self.world.facts.is_writer(self.who, self.facts):
            names += [f"refs/releases/{release.number}" for release in self.facts.releases]
        else:
            return dict(self.facts.refs)
        seen = {name: self.world.allowed(self.who, self.name, name) for name in names}
        return {name: one.oid for name, one in seen.items() if one.level not in ("no-repo", "no-revision")}

    async def lists(self) -> None:
        expected: dict[str, Allowed] = {}
        for name, facts in self.world.facts.repos.items():
            allowed = self.world.allowed(self.who, name, "main")
            if facts.exists and allowed.level != "no-repo":
                expected[name] = allowed
        found = await list_visible_repos(self.db, self.reader)
        self.seen.append(found)
        dates = [-self.at_ms(name, allowed) for name, allowed in expected.items()]
        assert {item.repo.full_name for item in found.repos} == set(expected)
        assert [-item.visible.revision.committed_ms for item in found.repos] == sorted(dates)
        for item in found.repos:
            self.check_visible(item.visible, expected[item.repo.full_name], "main")
            direct = await visible_revision(self.db, item.repo, "main", self.reader)
            assert direct == item.visible
        await self.narrower_lists([item.repo.full_name for item in found.repos], expected)

    async def narrower_lists(self, names: list[str], expected: dict[str, Allowed]) -> None:
        paged: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            page = await list_visible_repos(self.db, self.reader, limit=1, cursor=cursor)
            paged += [item.repo.full_name for item in page.repos]
            cursor = page.next_cursor
        assert paged == names
        namespace, _, short = self.name.partition("/")
        created = await list_visible_repos(self.db, self.reader, sort="createdAt", limit=2)
        after = await list_visible_repos(self.db, self.reader, sort="createdAt", cursor=created.next_cursor or "")
        rest = after.repos if created.next_cursor else []
        assert [item.repo.full_name for item in (*created.repos, *rest)] == sorted(
            expected, key=lambda name: -self.created_ms(name)
        )
        for asked in ({"author": namespace.upper()}, {"search": short[1:].upper()}):
            page = await list_visible_repos(self.db, self.reader, **asked)
            wanted = {name for name in names if _matches(name, asked)}
            assert {item.repo.full_name for item in page.repos} == wanted
        for one in self.facts.commits.values():
            page = await list_visible_repos(self.db, self.reader, tags=[one.tag] if one.tag else ["none-has-it"])
            own = expected.get(self.name)
            shows = bool(own and one.tag and own.level != "withdrawn" and self.facts.commits[own.oid].tag == one.tag)
            assert [item.repo.full_name for item in page.repos] == ([self.name] if shows else [])

    async def uploads(self) -> None:
        digests = {
            hashlib.sha256(data).hexdigest(): facts.name
            for facts in self.world.facts.repos.values()
            for one in facts.commits.values()
            for data in one.files.values()
        }
        if not self.facts.exists:
            return
        try:
            told = await have(self.db, self.repo, self.reader, digests)
        except (NotFound, NotAllowed, NotAuthenticated) as error:
            if isinstance(error, RepoNotFound):
                assert self.world.allowed(self.who, self.name, "main").level == "no-repo"
            assert not (self.world.facts.is_writer(self.who, self.facts) and self.reader.may("write"))
            return
        assert self.world.facts.is_writer(self.who, self.facts)
        released = {release.commit for release in self.facts.releases}
        authored = [one for oid, one in self.facts.commits.items() if oid not in released]
        own = {hashlib.sha256(data).hexdigest() for one in authored for data in one.files.values()}
        assert set(told) == own

    async def writers_only(self) -> None:
        if not self.facts.exists:
            return

        async def partners() -> object:
            return await list_partners(self.db, self.repo, self.reader)

        async def requests() -> object:
            return await access_requests(self.db, self.repo, self.reader, AccessStatus.ACCEPTED)

        for ask in (partners, requests):
            if self.world.facts.is_writer(self.who, self.facts):
                await ask()
            else:
                with pytest.raises((RepoNotFound, NotAllowed, NotAuthenticated)):
                    await ask()

    def search(self) -> None:
        """Whatever the shape of what came back: no mark of what this reader may not know is in it."""
        text = msgspec.json.encode(self.seen).decode()
        known: set[str] = set()
        secret: set[str] = set()
        for name, facts in self.world.facts.repos.items():
            for allowed in self.allowances(name, facts):
                known |= self.marks(facts, allowed)
            for oid in facts.commits:
                secret |= self.marks(facts, Allowed("bytes", oid))
        leaked = sorted(mark for mark in secret - known if mark in text)
        assert not leaked, f"{self.who} was told {leaked}"

    def allowances(self, name: str, facts: RepoFacts) -> list[Allowed]:
        if not facts.exists:
            return []
        seen = [self.world.allowed(self.who, name, revision) for revision in facts.revisions()]
        if not self.world.facts.is_writer(self.who, facts):
            seen += self.world.facts.releases_seen(self.who, facts)
        return seen

    def marks(self, facts: RepoFacts, allowed: Allowed) -> set[str]:
        """What may be found in answers about a commit that is seen at this level."""
        if not allowed.oid:
            return set()
        one = facts.commits[allowed.oid]
        marks = {one.oid, one.title}
        marks |= {one.tag} if one.tag and allowed.level != "withdrawn" else set()
        if allowed.level in ("bytes", "list"):
            marks |= {part for path in one.files for part in path.split("/")} - {"README.md"}
            marks |= {hashlib.sha256(data).hexdigest() for data in one.files.values()}
        return marks

    def created_ms(self, name: str) -> int:
        facts = self.world.facts.repos[name]
        if self.world.facts.is_writer(self.who, facts):
            return self.world.repos[name].created_ms
        return min(self.at_ms(name, one) for one in self.world.facts.releases_seen(self.who, facts))

    def at_ms(self, name: str, allowed: Allowed) -> int:
        return self.world.facts.repos[name].commits[allowed.oid].at_ms


class Operations(WorldMachine):
    """Looks through every reading function of hub/."""

    async def open(self) -> World:
        self.folder = tempfile.TemporaryDirectory()
        self.db = SqliteDatabase(Path(self.folder.name) / "metadata.sqlite")
        await self.db.migrate()
        return await World.create(self.db, _keep)

    async def look(self, who: str, repo: str) -> None:
        await Looker(self.world, who, repo, await self.world.reader(who)).look()

    async def close(self) -> None:
        await self.db.close()
        self.folder.cleanup()


TestVisibleRevision = Operations.TestCase
TestVisibleRevision.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)  # fmt: skip


async def _keep(data: bytes) -> str:
    """A blob store is not asked for here: the functions of hub/ give out digests, never bytes."""
    return hashlib.sha256(data).hexdigest()


def _by_name(refs: Refs) -> dict[str, str]:
    return {ref.ref: ref.oid for ref in (*refs.branches, *refs.tags, *refs.releases)}


def _matches(name: str, asked: dict[str, str]) -> bool:
    namespace = name.partition("/")[0]
    return asked.get("author", namespace).lower() == namespace and asked.get("search", "").lower() in name


async def test_the_whole_story_in_order(db: Database) -> None:
    """One hand-written run through every level, on both databases, so that no test passes by seeing nothing."""
    world = await World.create(db, _keep)
    levels: list[dict[str, str]] = []

    async def note() -> None:
        levels.append({who: world.allowed(who, "acme/one", "main").level for who in READERS})
        for who in READERS:
            await Looker(world, who, "acme/one", await world.reader(who)).look()

    await note()
    candidate = await world.commit("acme/one")
    await world.partner("acme/one", "friends", named=True)
    number = await world.put_forward("acme/one", candidate)
    await note()
    await world.publish("acme/one", number, "internal", "none")
    await note()
    await world.turn("acme/one", number, "partners", "none")
    await world.grant("paul", "friends", "reviewer")
    await note()
    await world.turn("acme/one", number, "partners", "public")
    await note()
    await world.turn("acme/one", number, "gated", "public")
    await world.ask("acme/one", "gus")
    await world.ask("acme/one", "coll")
    await world.answer("acme/one", "gus", "accepted")
    await note()
    await world.turn("acme/one", number, "public", "public")
    await note()
    await world.withdraw("acme/one", number)
    await note()
    await world.delete("acme/one")
    await note()
    told = {
        who: " ".join(level[who] for level in levels)
        for who in ("nobody", "rita", "fay", "gus", "coll", "walt", "rona", "audi")
    }
    assert told == {
        "nobody": "no-repo no-repo no-repo no-repo card list bytes withdrawn withdrawn",
        "rita": "no-repo no-repo bytes bytes bytes bytes bytes withdrawn withdrawn",
        "fay": "no-repo no-repo no-repo bytes bytes bytes bytes withdrawn withdrawn",
        "gus": "no-repo no-repo no-repo no-repo card bytes bytes withdrawn withdrawn",
        "coll": "no-repo no-repo no-repo no-repo card list bytes withdrawn withdrawn",
        "walt": "bytes bytes bytes bytes bytes bytes bytes bytes withdrawn",
        "rona": "no-repo bytes no-repo no-repo card list bytes withdrawn withdrawn",
        "audi": "no-repo card card card card list bytes withdrawn withdrawn",
    }
    assert WRITER["acme/one"] == "ann"
