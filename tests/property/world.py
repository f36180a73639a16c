"""A small world of people, repos and releases on a real hub's tables, with the facts kept beside it for the oracle.

    world = await World.create(db, put_bytes)
    oid = await world.commit("acme/one")
    number = await world.put_forward("acme/one", oid)
    await world.publish("acme/one", number, "gated", "public")
    world.facts.allowed("nobody", world.facts.repos["acme/one"], "main")      # what every door must keep to

Whatever can be done by the hub's own operations is done by them; release rows, which belong to ``release/``, are
written here as the workflow writes them: put forward, release commit and dials in one transaction, turned, withdrawn.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Awaitable, Callable

from tests.property.facts import Allowed, CommitFacts, Facts, ReleaseFacts, RepoFacts
from weighbridge.accounts import (
    ANONYMOUS,
    Account,
    Reader,
    Role,
    ScopeKind,
    authenticate,
    create_organisation,
    create_token,
    create_user,
    grant_role,
    revoke_role,
)
from weighbridge.hub.commit import Commit, NewFile, create_author_commit, create_release_commit, texts_needed
from weighbridge.hub.gate import AccessStatus, answer_access, ask_access, name_partner, remove_partner
from weighbridge.hub.git import GITATTRIBUTES, blob_oid
from weighbridge.hub.ref import create_branch, create_tag, delete_branch
from weighbridge.hub.repo import Repo, create_repo, delete_repo, find_repo
from weighbridge.hub.upload import record_upload
from weighbridge.storage.database import Database

PEOPLE = ("alice", "root", "ann", "walt", "cora", "rita", "paul", "fay", "gus", "rev", "rona", "audi", "hugo", "coll")
ORGANISATIONS = ("acme", "friends")
REPOS = ("acme/one", "acme/two", "alice/own")
READERS = ("nobody", *PEOPLE, "ann-for-two")
ROLES = (
    ("root", "hub", "admin"), ("rev", "hub", "reviewer"), ("hugo", "hub", "auditor"),
    ("ann", "acme", "admin"), ("walt", "acme", "write"), ("cora", "acme", "contribute"), ("rita", "acme", "read"),
    ("audi", "acme", "auditor"), ("rona", "acme/one", "reviewer"), ("fay", "friends", "read"),
    ("coll", "alice/own", "read"),
)  # fmt: skip
WRITER = {"acme/one": "ann", "acme/two": "ann", "alice/own": "alice"}
START_MS = 1_700_000_000_000

INSERT_RELEASE = """
INSERT INTO release (id, repo_id, number, candidate_oid, digest, author_id, weights_wanted, inference_wanted, weights,
  inference, policy, policy_sha256, policy_text, state, problem, commit_oid, created_ms, updated_ms)
VALUES (:id, :repo_id, :number, :candidate_oid, :digest, :author_id, 'public', 'public', 'none', 'none', 'responsible',
  '', '', 'running', '', NULL, :now_ms, :now_ms)
"""
PUBLISH = """
UPDATE release SET commit_oid = :commit_oid, weights = :weights, inference = :inference, state = 'released',
  updated_ms = :now_ms WHERE repo_id = :repo_id AND number = :number
"""
TURN = "UPDATE release SET weights = :weights, inference = :inference WHERE repo_id = :repo_id AND number = :number"
SET_STATE = "UPDATE release SET state = :state WHERE repo_id = :repo_id AND number = :number"
RELEASE_ID = "SELECT id FROM release WHERE repo_id = :repo_id AND number = :number"
INSERT_CHANGE = """
INSERT INTO dial_change (release_id, position, weights_from, weights_to, inference_from, inference_to, decision_id,
  actor_id, effective_ms)
SELECT :release_id, COUNT(*) + 1, :weights_from, :weights_to, :inference_from, :inference_to, NULL, :actor_id, :now_ms
FROM dial_change WHERE release_id = :release_id
"""
WITHDRAW = """
INSERT INTO withdrawal (release_id, advisory_id, reason, actor_id, statement_id, withdrawn_ms)
VALUES (:release_id, :advisory_id, :reason, :actor_id, NULL, :now_ms)
"""


class World:
    """Operations on a hub by named people. Each operation is one second later than the last."""

    def __init__(self, db: Database, put_bytes: Callable[[bytes], Awaitable[str]]) -> None:
        self.db = db
        self.put_bytes = put_bytes
        self.facts = Facts(organisations=set(ORGANISATIONS))
        self.accounts: dict[str, Account] = {}
        self.tokens: dict[str, str] = {}
        self.repos: dict[str, Repo] = {}
        self._at_ms = START_MS
        self._made = 0

    @classmethod
    async def create(cls, db: Database, put_bytes: Callable[[bytes], Awaitable[str]]) -> World:
        """People with tokens, two organisations, three repos with nothing released. The database is migrated."""
        world = cls(db, put_bytes)
        for name in PEOPLE:
            world.accounts[name] = await create_user(db, name=name, now_ms=world.now())
        for name in ORGANISATIONS:
            world.accounts[name] = await create_organisation(db, name=name, now_ms=world.now())
        for name in PEOPLE:
            scopes = ["write"] if name in ("alice", "ann", "walt", "root") else ["read"]
            world.tokens[name] = await world._token(name, scopes)
        for person, scope, role in ROLES:
            if "/" not in scope:
                await world.grant(person, scope, role)
        for name in REPOS:
            await world.add_repo(name)
        for person, scope, role in ROLES:
            if "/" in scope:
                await world.grant(person, scope, role)
        world.tokens["ann-for-two"] = await world._token("ann", ["write"], repo="acme/two")
        world.facts.bound["ann-for-two"] = ("ann", "acme/two")
        return world

    def now(self) -> int:
        """Milliseconds; one second later at each call."""
        self._at_ms += 1000
        return self._at_ms

    async def reader(self, who: str) -> Reader:
        """The reader that a name of READERS stands for, by its token."""
        return await authenticate(self.db, self.tokens[who], now_ms=self._at_ms) if who != "nobody" else ANONYMOUS

    def allowed(self, who: str, repo: str, revision: str) -> Allowed:
        """What the design allows ``who`` to see."""
        return self.facts.allowed(who, self.facts.repos[repo], revision)

    async def add_repo(self, name: str) -> None:
        """A repo with its first commit, by its writer; one of the same name must not exist."""
        namespace, _, short = name.partition("/")
        facts = RepoFacts(name=name, namespace=namespace, personal=namespace not in ORGANISATIONS)
        at_ms = self.now()
        self.repos[name] = await create_repo(
            self.db, await self.reader(WRITER[name]), type="model", namespace=namespace, name=short,
            put_bytes=self.put_bytes, now_ms=at_ms, gated="manual",
        )  # fmt: skip
        self.facts.repos[name] = facts
        commit = await self._head(name)
        files = {".gitattributes": GITATTRIBUTES}
        facts.commits[commit.oid] = CommitFacts(commit.oid, None, commit.title, "", commit.committed_ms, files)
        facts.refs["refs/heads/main"] = commit.oid

    async def commit(self, repo: str, branch: str = "main") -> str:
        """A new author's commit of files that nothing else has, and README.md. Answers its id."""
        facts, mark = self.facts.repos[repo], self._mark()
        tag = f"tag-{mark}"
        files = {
            "README.md": f"---\nlicense: mit\ntags: [{tag}]\n---\n# {mark}\n".encode(),
            f"weights-{mark}.safetensors": b"\xff\x00" + mark.encode() * (7 + self._made),
            f"folder-{mark}/config-{mark}.json": f'{{"mark": "{mark}"}}\n'.encode(),
        }
        author, at_ms = self.accounts[WRITER[repo]], self.now()
        parent = facts.refs[f"refs/heads/{branch}"]
        async with self.db.transaction() as tx:
            new = [await self._upload(tx, repo, path, data, at_ms) for path, data in files.items()]
            commit = await create_author_commit(
                tx, self.repos[repo], new, message=f"Title-{mark}\n\nBody-{mark}", author=author, now_ms=at_ms,
                texts={file.path: files[file.path] for file in texts_needed(new)}, branch=branch,
                expected_parent=parent,
            )  # fmt: skip
        facts.commits[commit.oid] = CommitFacts(commit.oid, parent, commit.title, tag, commit.committed_ms, files)
        facts.refs[f"refs/heads/{branch}"] = commit.oid
        return commit.oid

    async def branch(self, repo: str, start: str) -> str:
        """A new branch from a commit. Answers its name."""
        name = f"branch-{self._mark()}"
        oid = await create_branch(self.db, self.repos[repo], await self._writer(repo), name, start=start,
                                  now_ms=self.now())  # fmt: skip
        self.facts.repos[repo].refs[f"refs/heads/{name}"] = oid
        return name

    async def drop_branch(self, repo: str, name: str) -> None:
        """Removes a branch."""
        await delete_branch(self.db, self.repos[repo], await self._writer(repo), name, now_ms=self.now())
        del self.facts.repos[repo].refs[f"refs/heads/{name}"]

    async def tag(self, repo: str, revision: str) -> str:
        """A new tag on a commit. Answers its name."""
        name = f"v-{self._mark()}"
        oid = await create_tag(self.db, self.repos[repo], await self._writer(repo), name, revision=revision,
                               now_ms=self.now())  # fmt: skip
        self.facts.repos[repo].refs[f"refs/tags/{name}"] = oid
        return name

    async def put_forward(self, repo: str, candidate: str) -> int:
        """A release that is under way. Answers its number."""
        facts = self.facts.repos[repo]
        number = len(facts.releases) + 1
        await self.db.run(
            INSERT_RELEASE, id=secrets.token_hex(16), repo_id=self.repos[repo].id, number=number,
            candidate_oid=candidate, digest=hashlib.sha256(candidate.encode()).hexdigest(),
            author_id=self.accounts[WRITER[repo]].id, now_ms=self.now(),
        )  # fmt: skip
        facts.releases.append(ReleaseFacts(number=number, candidate=candidate))
        return number

    async def set_state(self, repo: str, number: int, state: str) -> None:
        """Moves a release that is not out: running | waiting | refused | failed."""
        await self.db.run(SET_STATE, state=state, repo_id=self.repos[repo].id, number=number)
        self.facts.repos[repo].releases[number - 1].state = state

    async def publish(self, repo: str, number: int, weights: str, inference: str) -> str:
        """The release commit and its dials, in one transaction. Answers the commit's id."""
        facts, mark, at_ms = self.facts.repos[repo], self._mark(), self.now()
        release = facts.releases[number - 1]
        extra = {".release/SHA256SUMS": f"sums {mark}\n".encode(), "model.sig": f'{{"{mark}": 1}}'.encode()}
        async with self.db.transaction() as tx:
            for data in extra.values():
                await self.put_bytes(data)
            commit = await create_release_commit(
                tx, self.repos[repo], release.candidate, [_new_file(path, data) for path, data in extra.items()],
                number=number, author=self.accounts[WRITER[repo]], now_ms=at_ms, message=f"Release-{mark}",
            )  # fmt: skip
            where = {"repo_id": self.repos[repo].id, "number": number}
            await tx.run(PUBLISH, commit_oid=commit.oid, weights=weights, inference=inference, now_ms=at_ms, **where)
            await self._dial_change(tx, repo, release, weights, inference, at_ms)
        candidate = facts.commits[release.candidate]
        files = {**candidate.files, **extra}
        facts.commits[commit.oid] = CommitFacts(
            commit.oid, None, commit.title, candidate.tag, commit.committed_ms, files
        )
        facts.refs[f"refs/releases/{number}"] = commit.oid
        release.commit, release.state = commit.oid, "released"
        release.weights, release.inference = weights, inference
        return commit.oid

    async def turn(self, repo: str, number: int, weights: str, inference: str) -> None:
        """Turns the dials of a release that is out, up or down."""
        release, at_ms = self.facts.repos[repo].releases[number - 1], self.now()
        async with self.db.transaction() as tx:
            await tx.run(TURN, weights=weights, inference=inference, repo_id=self.repos[repo].id, number=number)
            await self._dial_change(tx, repo, release, weights, inference, at_ms)
        release.weights, release.inference = weights, inference

    async def withdraw(self, repo: str, number: int) -> None:
        """Withdraws a release; its dials stay as they are."""
        mark = self._mark()
        row = await self.db.one(RELEASE_ID, repo_id=self.repos[repo].id, number=number)
        assert row is not None
        await self.db.run(
            WITHDRAW, release_id=row["id"], advisory_id=f"WB-{mark}", reason=f"Reason-{mark}",
            actor_id=self.accounts[WRITER[repo]].id, now_ms=self.now(),
        )  # fmt: skip
        self.facts.repos[repo].releases[number - 1].withdrawn = True

    async def grant(self, person: str, scope: str, role: str) -> None:
        """Gives a role at "hub", an organisation or a repo."""
        kind, scope_id = self._scope(scope)
        await grant_role(self.db, account_id=self.accounts[person].id, scope=kind, scope_id=scope_id, role=Role(role),
                         now_ms=self.now())  # fmt: skip
        self.facts.roles.add((person, scope, role))

    async def revoke(self, person: str, scope: str, role: str) -> None:
        """Takes a role away."""
        kind, scope_id = self._scope(scope)
        await revoke_role(self.db, account_id=self.accounts[person].id, scope=kind, scope_id=scope_id, role=Role(role),
                          now_ms=self.now())  # fmt: skip
        self.facts.roles.discard((person, scope, role))

    async def partner(self, repo: str, name: str, *, named: bool) -> None:
        """Names a person or an organisation as a partner, or not any more."""
        act = name_partner if named else remove_partner
        await act(self.db, self.repos[repo], self.accounts[name].id, await self._writer(repo), now_ms=self.now())
        (self.facts.repos[repo].partners.add if named else self.facts.repos[repo].partners.discard)(name)

    async def ask(self, repo: str, person: str) -> None:
        """Asks at the gate, which is ``manual``; only where the person stands before a gate and has not asked."""
        status = await ask_access(self.db, self.repos[repo], await self.reader(person), now_ms=self.now())
        assert status is AccessStatus.PENDING
        self.facts.repos[repo].requests[person] = "pending"

    async def answer(self, repo: str, person: str, status: str) -> None:
        """Answers a request, asked or not."""
        await answer_access(self.db, self.repos[repo], self.accounts[person].id, await self._writer(repo),
                            status=AccessStatus(status), now_ms=self.now())  # fmt: skip
        self.facts.repos[repo].requests[person] = status

    async def delete(self, repo: str) -> None:
        """Deletes a repo none of whose releases is out or under way."""
        await delete_repo(self.db, self.repos[repo], await self._writer(repo), now_ms=self.now())
        self.facts.repos[repo].deleted = True
        self.repos[repo] = await find_repo(self.db, "model", repo) or self.repos[repo]

    def _mark(self) -> str:
        self._made += 1
        return f"k{self._made:04d}q"

    def _scope(self, scope: str) -> tuple[ScopeKind, str]:
        if scope == "hub":
            return ScopeKind.HUB, "hub"
        if scope in ORGANISATIONS:
            return ScopeKind.ORGANISATION, self.accounts[scope].id
        return ScopeKind.REPO, self.repos[scope].id

    async def _token(self, person: str, scopes: list[str], repo: str = "") -> str:
        bound = self.repos[repo].id if repo else None
        _, text = await create_token(self.db, account_id=self.accounts[person].id, name="world", scopes=scopes,
                                     now_ms=self.now(), repo_id=bound)  # fmt: skip
        return text

    async def _writer(self, repo: str) -> Reader:
        return await self.reader(WRITER[repo])

    async def _head(self, repo: str) -> Commit:
        from weighbridge.hub.access import require_readable

        return await require_readable(self.db, self.repos[repo], "main", await self._writer(repo))

    async def _upload(self, tx, repo: str, path: str, data: bytes, at_ms: int) -> NewFile:
        await self.put_bytes(data)
        file = _new_file(path, data)
        await record_upload(
            tx, self.repos[repo], self.accounts[WRITER[repo]].id, sha256=file.sha256, git_oid=file.git_oid,
            size_bytes=file.size_bytes, is_text=file.is_text, now_ms=at_ms,
        )  # fmt: skip
        return file

    async def _dial_change(
        self, tx, repo: str, release: ReleaseFacts, weights: str, inference: str, at_ms: int
    ) -> None:
        row = await tx.one(RELEASE_ID, repo_id=self.repos[repo].id, number=release.number)
        await tx.run(
            INSERT_CHANGE, release_id=row["id"], weights_from=release.weights, weights_to=weights,
            inference_from=release.inference, inference_to=inference, actor_id=self.accounts[WRITER[repo]].id,
            now_ms=at_ms,
        )  # fmt: skip


def _new_file(path: str, data: bytes) -> NewFile:
    return NewFile(path=path, sha256=hashlib.sha256(data).hexdigest(), size_bytes=len(data), git_oid=blob_oid(data),
                   is_text=b"\0" not in data)  # fmt: skip
