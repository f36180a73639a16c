"""A hypothesis machine that does random things in a ``World`` and lets random readers look.

A test subclasses it and says how to look: at the operations (``test_visible_revision.py``), or through an endpoint::

    class Endpoints(WorldMachine):
        async def open(self) -> World: ...
        async def look(self, who: str, repo: str) -> None: ...
        async def close(self) -> None: ...
"""

from __future__ import annotations

import asyncio

import hypothesis.strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.property.facts import DIALS, RepoFacts
from tests.property.world import READERS, REPOS, WRITER, World

dials = st.sampled_from((*DIALS, "gated", "partners", "none"))  # public hides every finer distinction
repos = st.sampled_from(("acme/one", "acme/one", "acme/one", "alice/own", "acme/two"))  # most of it in one place
picks = st.integers(min_value=0, max_value=999)
HUB_ROLES = ("admin", "reviewer", "auditor")
ROLES = ("read", "contribute", "write", "admin", "reviewer", "auditor")
STATES = ("running", "waiting", "refused", "failed")
SCOPES = ("hub", "acme", "friends", "friends", *REPOS)
COMERS = ("paul", "gus", "fay", "coll")  # few, so that what is given to them is also seen by them


class WorldMachine(RuleBasedStateMachine):
    """Random commits, releases, dial turns both ways, withdrawals, roles, cohorts, requests, deletions; and looks."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()

    async def open(self) -> World:
        """A new world on a fresh, migrated hub."""
        raise NotImplementedError

    async def look(self, who: str, repo: str) -> None:
        """Asserts that everything that ``who`` can get of ``repo``, and of the lists, is what the oracle allows."""
        raise NotImplementedError

    async def close(self) -> None:
        """Closes what ``open`` opened."""
        raise NotImplementedError

    @initialize()
    def begin(self) -> None:
        self.world = self._runner.run(self.open())

    def teardown(self) -> None:
        with self._runner:
            if not hasattr(self, "world"):
                return
            try:
                for repo in REPOS:
                    for who in READERS if self._facts(repo).releases else READERS[:3]:
                        self._runner.run(self.look(who, repo))
            finally:
                self._runner.run(self.close())

    @rule(name=repos, pick=picks)
    def commit(self, name: str, pick: int) -> None:
        facts = self._live(name)
        if facts:
            branches = [ref for ref in facts.refs if ref.startswith("refs/heads/")]
            self._do(self.world.commit(name, _one(branches, pick).removeprefix("refs/heads/")))

    @rule(name=repos, pick=picks)
    def branch(self, name: str, pick: int) -> None:
        facts = self._live(name)
        if facts:
            self._do(self.world.branch(name, _one(_authored(facts), pick)))

    @rule(name=repos, pick=picks)
    def drop_branch(self, name: str, pick: int) -> None:
        facts = self._live(name)
        branches = [ref for ref in facts.refs if ref.startswith("refs/heads/branch")] if facts else []
        if branches:
            self._do(self.world.drop_branch(name, _one(branches, pick).removeprefix("refs/heads/")))

    @rule(name=repos, pick=picks)
    def tag(self, name: str, pick: int) -> None:
        facts = self._live(name)
        if facts:
            self._do(self.world.tag(name, _one(_authored(facts), pick)))

    @rule(name=repos, pick=picks, weights=dials, inference=dials)
    def release(self, name: str, pick: int, weights: str, inference: str) -> None:
        """The common story at once, so that short runs come to something: commit, put forward, publish."""
        facts = self._live(name)
        if facts:
            candidate = _one(_authored(facts), pick) if pick % 3 == 0 else self._do(self.world.commit(name))
            number = self._do(self.world.put_forward(name, candidate))
            self._do(self.world.publish(name, number, weights, inference))

    @rule(name=repos, pick=picks, state=st.sampled_from(STATES))
    def put_forward(self, name: str, pick: int, state: str) -> None:
        facts = self._live(name)
        if facts:
            number = self._do(self.world.put_forward(name, _one(_authored(facts), pick)))
            self._do(self.world.set_state(name, number, state))

    @rule(name=repos, pick=picks, state=st.sampled_from(STATES))
    def move(self, name: str, pick: int, state: str) -> None:
        waiting = [release for release in self._facts(name).releases if release.commit is None]
        if waiting and self._live(name):
            self._do(self.world.set_state(name, _one(waiting, pick).number, state))

    @rule(name=repos, pick=picks, weights=dials, inference=dials)
    def publish(self, name: str, pick: int, weights: str, inference: str) -> None:
        ready = [release for release in self._facts(name).releases if release.commit is None]
        if ready and self._live(name):
            self._do(self.world.publish(name, _one(ready, pick).number, weights, inference))

    @rule(name=repos, pick=picks, weights=dials, inference=dials)
    def turn(self, name: str, pick: int, weights: str, inference: str) -> None:
        out = [release for release in self._facts(name).releases if release.commit]
        if out:
            self._do(self.world.turn(name, _one(out, pick).number, weights, inference))

    @rule(name=repos, pick=picks)
    def withdraw(self, name: str, pick: int) -> None:
        out = [release for release in self._facts(name).releases if release.commit and not release.withdrawn]
        if out:
            self._do(self.world.withdraw(name, _one(out, pick).number))

    @rule(who=st.sampled_from(COMERS), scope=st.sampled_from(SCOPES), role=st.sampled_from(ROLES))
    def grant(self, who: str, scope: str, role: str) -> None:
        if scope != "hub" or role in HUB_ROLES:
            self._do(self.world.grant(who, scope, role))

    @precondition(lambda self: hasattr(self, "world"))
    @rule(pick=picks)
    def revoke(self, pick: int) -> None:
        held = [grant for grant in sorted(self.world.facts.roles) if grant[2] != "admin"]
        if held:
            self._do(self.world.revoke(*_one(held, pick)))

    @rule(name=repos, who=st.sampled_from(("friends", "friends", "acme", *COMERS)), named=st.booleans())
    def partner(self, name: str, who: str, named: bool) -> None:
        if self._live(name):
            self._do(self.world.partner(name, who, named=named))

    @rule(name=repos, who=st.sampled_from(COMERS))
    def ask(self, name: str, who: str) -> None:
        facts = self._facts(name)
        if self.world.allowed(who, name, "main").level == "list" and who not in facts.requests:
            self._do(self.world.ask(name, who))

    @rule(name=repos, who=st.sampled_from(COMERS), status=st.sampled_from(("pending", "accepted", "rejected")))
    def answer(self, name: str, who: str, status: str) -> None:
        if self._live(name):
            self._do(self.world.answer(name, who, status))

    @rule(name=repos)
    def delete(self, name: str) -> None:
        facts = self._live(name)
        busy = facts is None or any(
            release.state in ("running", "waiting") or (release.commit and not release.withdrawn)
            for release in facts.releases
        )
        if not busy:
            self._do(self.world.delete(name))

    @rule(name=repos, who=st.sampled_from(READERS))
    def anyone_looks(self, name: str, who: str) -> None:
        self._do(self.look(who, name))

    def _do(self, work):
        return self._runner.run(work)

    def _facts(self, name: str) -> RepoFacts:
        return self.world.facts.repos[name]

    def _live(self, name: str) -> RepoFacts | None:
        """The repo's facts while its writer can still write to it."""
        facts = self._facts(name)
        return facts if not facts.deleted and self.world.facts.is_writer(WRITER[name], facts) else None


def _authored(facts: RepoFacts) -> list[str]:
    released = {release.commit for release in facts.releases}
    return [oid for oid in facts.commits if oid not in released]


def _one(options, pick: int):
    return options[pick % len(options)]
