"""No endpoint returns a byte, a file name, a size, a count or an existence that the design does not allow.

The worlds of ``machine.py`` and the oracle of ``facts.py``, looked at through the ASGI application: every reading path
of the Hugging Face API, of our own, of the pages and of the log, with every revision and path that one could try.
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from urllib.parse import quote, unquote, urlencode

from hypothesis import HealthCheck, settings
from starlette.types import ASGIApp

from tests.http.asgi import Answer, call
from tests.property.facts import Allowed, CommitFacts, RepoFacts
from tests.property.machine import WorldMachine
from tests.property.test_visible_revision import Looker, _matches
from tests.property.world import READERS, World
from weighbridge.bootstrap import Hub, close_hub, open_hub
from weighbridge.http.app import create_app
from weighbridge.settings import load_settings

ERRORS = {
    "no-repo": ("RepoNotFound", 401, 404),
    "no-revision": ("RevisionNotFound", 404, 404),
    "withdrawn": ("WithdrawnRelease", 403, 403),
    "card": ("NotAllowed", 403, 403),
    "list": ("GatedRepo", 401, 403),
}
PAGES = ("", "/tree/main", "/releases", "/releases/1", "/releases/2")
OURS = "/api/weighbridge/v1/repos/models"


class EndpointLooker(Looker):
    """One reader's look at one repo through every endpoint; keeps all that was answered, to be searched for marks."""

    app: ASGIApp

    async def look(self) -> None:
        self.token = self.world.tokens.get(self.who)
        for revision in self.facts.revisions():
            await self.revision(revision, self.world.allowed(self.who, self.name, revision))
        await self.repo_as_a_whole()
        await self.lists()
        await self.others()
        self.search()

    async def get(self, target: str, method: str = "GET", **more: object) -> Answer:
        answer = await call(self.app, method, target, token=self.token, **more)  # pyright: ignore[reportArgumentType]
        assert answer.status < 500, (target, answer)
        headers = [f"{name}: {value}" for name, value in answer.headers if name not in ("x-request-id", "date")]
        told = "\n".join([*headers, answer.body.decode("utf-8", "replace")])
        if answer.status >= 400:  # a refusal may repeat what was asked
            for part in sorted(unquote(target).replace("?", "/").split("/"), key=len, reverse=True):
                told = told.replace(part, "") if len(part) > 3 else told
        self.seen.append(told)
        return answer

    def refused(self, answer: Answer, level: str) -> None:
        code, anonymous, known = ERRORS[level]
        status = anonymous if self.who == "nobody" else known
        assert (answer.status, answer.header("x-error-code")) == (status, code), (self.who, self.name, level, answer)

    async def revision(self, revision: str, allowed: Allowed) -> None:
        rev = quote(revision, safe="")
        await self.check_info(await self.get(f"/api/models/{self.name.upper()}/revision/{rev}?blobs=true"), allowed)
        await self.check_tree(rev, allowed)
        await self.check_commits(rev, revision, allowed)
        for path in self.paths(allowed):
            await self.check_bytes(rev, path, allowed)

    async def check_info(self, answer: Answer, allowed: Allowed) -> None:
        if allowed.level in ("no-repo", "no-revision", "withdrawn"):
            return self.refused(answer, allowed.level)
        info, files = answer.json, self.facts.commits[allowed.oid].files
        assert (answer.status, info["sha"]) == (200, allowed.oid)
        if allowed.level == "card":
            assert not {"siblings", "usedStorage", "safetensors"} & set(info)
            return None
        assert {item["rfilename"]: item["size"] for item in info["siblings"]} == {
            path: len(data) for path, data in files.items()
        }
        assert info["usedStorage"] == sum(map(len, files.values()))
        return None

    async def check_tree(self, rev: str, allowed: Allowed) -> None:
        base = f"/api/models/{self.name}"
        everything = sorted({path for one in self.commits() for path in one.files} | self.folders())
        asked = urlencode({"paths": everything, "expand": "true"}, doseq=True).encode()
        answers = [
            await self.get(f"{base}/tree/{rev}?recursive=true&expand=true"),
            await self.get(f"{base}/paths-info/{rev}", "POST", body=asked),
        ]
        for answer in answers:
            if allowed.level not in ("bytes", "list"):
                self.refused(answer, allowed.level)
                continue
            files = self.facts.commits[allowed.oid].files
            assert {item["path"]: item["size"] for item in answer.json if item["type"] == "file"} == {
                path: len(data) for path, data in files.items()
            }
        for folder in self.folders():
            answer = await self.get(f"{base}/tree/{rev}/{folder}")
            if allowed.level not in ("bytes", "list"):
                self.refused(answer, allowed.level)
            else:
                there = any(path.startswith(f"{folder}/") for path in self.facts.commits[allowed.oid].files)
                assert answer.status == (200 if there else 404)

    async def check_commits(self, rev: str, revision: str, allowed: Allowed) -> None:
        answer = await self.get(f"/api/models/{self.name}/commits/{rev}?limit=100&expand[]=formatted")
        if allowed.level in ("no-repo", "no-revision"):
            return self.refused(answer, allowed.level)
        assert [item["id"] for item in answer.json] == self.history(allowed), revision
        first = await self.get(f"/api/models/{self.name}/commits/{rev}?limit=1")
        assert (first.header("link") is not None) == (len(answer.json) > 1)
        return None

    async def check_bytes(self, rev: str, path: str, allowed: Allowed) -> None:
        target = f"/{self.name}/resolve/{rev}/{path}"
        answer = await self.get(target)
        head = await self.get(target, "HEAD")
        assert (head.status, head.headers[:-1]) == (answer.status, answer.headers[:-1])
        if allowed.level in ("no-repo", "no-revision", "withdrawn"):
            return self.refused(answer, allowed.level)
        data = self.facts.commits[allowed.oid].files.get(path)
        if allowed.level != "bytes" and (path != "README.md" or data is None):
            return self.refused(answer, allowed.level)
        if data is None:
            assert (answer.status, answer.header("x-error-code")) == (404, "EntryNotFound")
            return None
        assert (answer.status, answer.body, answer.header("x-repo-commit")) == (200, data, allowed.oid)
        part = await self.get(target, headers={"Range": "bytes=1-3"})
        assert (part.status, part.body) == (206, data[1:4])
        return None

    def paths(self, allowed: Allowed) -> list[str]:
        """Its own files, one of each other commit, a folder, and digests as if they were names."""
        own = [*self.facts.commits[allowed.oid].files] if allowed.oid else []
        others = [max(one.files) for one in self.commits()]
        digests = [hashlib.sha256(data).hexdigest() for one in self.commits() for data in [max(one.files.values())]]
        return list(dict.fromkeys([*own, *others[-3:], *digests[-1:], "README.md", ".release/SHA256SUMS", "none"]))

    def commits(self) -> list[CommitFacts]:
        return [one for facts in self.world.facts.repos.values() for one in facts.commits.values()]

    def folders(self) -> set[str]:
        return {path.partition("/")[0] for one in self.facts.commits.values() for path in one.files if "/" in path}

    async def repo_as_a_whole(self) -> None:
        main = self.world.allowed(self.who, self.name, "main")
        targets = {
            f"/api/models/{self.name}": "",
            f"/api/models/{self.name}/refs?include_prs=1": "",
            f"/api/models/{self.name}/auth-check": "",
            f"/api/models/{self.name}/auth-check/write": "",
            f"{OURS}/{self.name}/releases": "",
            **{f"{OURS}/{self.name}/releases/{number}": "" for number in (1, 2, 99, "latest")},
            **{f"/{self.name}{page}": "text/html" for page in PAGES},
            **{f"/{self.name}/tree/{oid}": "text/html" for oid in self.facts.commits},
        }
        for target, accept in targets.items():
            answer = await self.get(target, headers={"accept": accept})
            if main.level == "no-repo" and not ("/releases" in target and self.is_insider()):
                assert answer.status >= 400, target
                await self.same_as_absent(target, answer, accept)
        await self.check_info(await self.get(f"/api/models/{self.name}?blobs=true"), main)
        refs = await self.get(f"/api/models/{self.name}/refs")
        if main.level == "no-repo":
            self.refused(refs, "no-repo")
        else:
            kinds = ("branches", "tags", "releases")
            told = {ref["ref"]: ref["targetCommit"] for kind in kinds for ref in refs.json[kind]}
            assert told == self.expected_refs()
        read = await self.get(f"/api/models/{self.name}/auth-check")
        if main.level == "bytes":
            assert read.status == 200
        else:
            self.refused(read, main.level)
        await self.check_have(main)

    async def check_have(self, main: Allowed) -> None:
        files = [(data, one) for one in self.commits() for data in one.files.values()]
        wish = [{"sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)} for data, _ in files]
        answer = await self.get(f"{OURS}/{self.name}/have", "POST", data={"files": wish[:1000]})
        writer = self.world.facts.is_writer(self.who, self.facts) and self.reader.may("write")
        assert (answer.status == 200) == writer
        if main.level == "no-repo":
            await self.same_as_absent(f"{OURS}/{self.name}/have", answer, "", "POST", data={"files": wish[:1000]})

    async def same_as_absent(
        self, target: str, hidden: Answer, accept: str, method: str = "GET", data: object = None
    ) -> None:
        """The answer about a name of the same length that nothing ever had."""
        namespace, _, short = self.name.partition("/")
        nothing = f"{namespace}/{'x' * len(short)}"
        absent = await self.get(target.replace(self.name, nothing), method, headers={"accept": accept}, data=data)
        assert _comparable(hidden, self.name) == _comparable(absent, nothing), target

    async def lists(self) -> None:
        expected: dict[str, Allowed] = {}
        for name, facts in self.world.facts.repos.items():
            allowed = self.world.allowed(self.who, name, "main")
            if facts.exists and allowed.level != "no-repo":
                expected[name] = allowed
        namespace, _, short = self.name.partition("/")
        queries: list[tuple[str, dict[str, str]]] = [
            ("full=true&cardData=true", {}),
            ("sort=createdAt", {}),
            (f"author={namespace}", {"author": namespace}),
            (f"search={short}&full=true", {"search": short}),
        ]
        for query, asked in queries:
            answer = await self.get(f"/api/models?{query}")
            told = {item["id"]: item for item in answer.json}
            assert set(told) == {name for name in expected if _matches(name, asked)}, query
            for name, item in told.items():
                self.check_item(item, expected[name], name)
        assert (await self.get("/api/datasets")).json == []
        paged: list[str] = []
        target = "/api/models?limit=1"
        while target:
            answer = await self.get(target)
            paged += [item["id"] for item in answer.json]
            link = answer.header("link")
            target = link[len("<http://hub.test") : link.index(">")] if link else ""
        assert sorted(paged) == sorted(expected)

    def check_item(self, item: dict[str, object], allowed: Allowed, name: str) -> None:
        if allowed.level == "withdrawn":
            assert item["disabled"] is True
            assert not {"siblings", "usedStorage", "cardData", "tags"} & set(item)
            return
        files = self.world.facts.repos[name].commits[allowed.oid].files
        assert item["sha"] == allowed.oid
        if allowed.level == "card":
            assert not {"siblings", "usedStorage"} & set(item)
        else:
            assert item["usedStorage"] == sum(map(len, files.values()))

    async def others(self) -> None:
        """Places that know nothing of a repo's name, and must not."""
        for target in ("/", "/acme", "/alice", "/api/whoami-v2", "/tlog/checkpoint", "/metrics", "/healthz"):
            await self.get(target, headers={"accept": "text/html"})
        for one in self.commits()[-3:]:
            data = max(one.files.values())
            digest = hashlib.sha256(data).hexdigest()
            for target in (
                f"/blobs/{digest}",
                f"/api/models/{digest}",
                f"/{digest}/resolve/main/x",
                f"/static/{digest}",
            ):
                assert (await self.get(target)).status >= 400

    def marks(self, facts: RepoFacts, allowed: Allowed) -> set[str]:
        """As for the operations; who sees a release may know its candidate's id, which ``.release/`` names."""
        marks = super().marks(facts, allowed)
        marks |= {one.candidate for one in facts.releases if allowed.oid and one.commit == allowed.oid}
        return marks

    def allowances(self, name: str, facts: RepoFacts) -> list[Allowed]:
        """As for the operations; reviewers and auditors see every release of our API (docs/format.md section 9)."""
        seen = super().allowances(name, facts)
        if facts.exists and self.is_insider(name):
            seen += [Allowed("card", one.commit or one.candidate) for one in facts.releases]
        return seen

    def is_insider(self, name: str = "") -> bool:
        facts = self.world.facts.repos[name or self.name]
        person = self.world.facts.person(self.who, facts)
        return bool(person) and not {"reviewer", "auditor"}.isdisjoint(self.world.facts.roles_on(person, facts))


def _comparable(answer: Answer, name: str) -> tuple[object, ...]:
    headers = [(key, value.replace(name, "*")) for key, value in answer.headers if key not in ("x-request-id", "date")]
    return answer.status, headers, answer.body.replace(name.encode(), b"*")


async def open_world(folder: str) -> tuple[Hub, World, ASGIApp]:
    hub = await open_hub(load_settings({"data": Path(folder) / "hub", "public_url": "http://hub.test"}))
    return hub, await World.create(hub.db, hub.blobs.put_bytes), create_app(hub)


async def look(world: World, app: ASGIApp, who: str, repo: str) -> None:
    looker = EndpointLooker(world, who, repo, await world.reader(who))
    looker.app = app
    await looker.look()


class Endpoints(WorldMachine):
    """Looks through the application."""

    async def open(self) -> World:
        self.folder = tempfile.TemporaryDirectory()
        self.hub, world, self.app = await open_world(self.folder.name)
        return world

    async def look(self, who: str, repo: str) -> None:
        await look(self.world, self.app, who, repo)

    async def close(self) -> None:
        await close_hub(self.hub)
        self.folder.cleanup()


TestEndpoints = Endpoints.TestCase
TestEndpoints.settings = settings(
    max_examples=20, stateful_step_count=30, deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)  # fmt: skip


async def test_one_story_through_every_level(tmp_path: Path) -> None:
    """Hand-written, so that the property test cannot pass by seeing nothing."""
    hub, world, app = await open_world(str(tmp_path))
    levels: set[str] = set()

    async def everybody_looks() -> None:
        for who in READERS:
            levels.add(world.allowed(who, "acme/one", "main").level)
            await look(world, app, who, "acme/one")

    candidate = await world.commit("acme/one")
    await world.partner("acme/one", "friends", named=True)
    number = await world.put_forward("acme/one", candidate)
    await everybody_looks()
    for weights, inference in (("internal", "none"), ("partners", "public"), ("gated", "public"), ("public", "public")):
        if weights == "internal":
            await world.publish("acme/one", number, weights, inference)
        else:
            await world.turn("acme/one", number, weights, inference)
        await everybody_looks()
    await world.commit("acme/one")
    await everybody_looks()
    await world.withdraw("acme/one", number)
    await everybody_looks()
    await world.delete("acme/one")
    await everybody_looks()
    await close_hub(hub)
    assert levels == {"no-repo", "card", "list", "bytes", "withdrawn"}
