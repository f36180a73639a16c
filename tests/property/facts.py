"""The oracle: who may see what, written from the table in the design and from nothing else.

It is naive on purpose: plain facts in plain Python, every release looked at every time, no SQL and no import of the
code that it judges. ``Facts.allowed(who, repo, revision)`` is the answer that every door of the hub must keep to.
"""

from __future__ import annotations

from dataclasses import dataclass, field

DIALS = ("none", "internal", "partners", "gated", "public")
MEMBER_ROLES = {"read", "contribute", "write", "admin"}


@dataclass
class ReleaseFacts:
    number: int
    candidate: str
    commit: str | None = None
    weights: str = "none"
    inference: str = "none"
    state: str = "running"
    withdrawn: bool = False


@dataclass
class CommitFacts:
    oid: str
    parent: str | None
    title: str
    tag: str
    at_ms: int
    files: dict[str, bytes]


@dataclass
class RepoFacts:
    name: str
    namespace: str
    personal: bool
    commits: dict[str, CommitFacts] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    releases: list[ReleaseFacts] = field(default_factory=list)
    partners: set[str] = field(default_factory=set)
    requests: dict[str, str] = field(default_factory=dict)
    deleted: bool = False

    @property
    def exists(self) -> bool:
        return not self.deleted or any(release.commit for release in self.releases)

    def revisions(self) -> list[str]:
        """Every name by which one could try to reach something."""
        short = [name.split("/", 2)[2] for name in self.refs if not name.startswith("refs/releases/")]
        numbers = [f"refs/releases/{release.number}" for release in self.releases]
        return [*dict.fromkeys(["main", *self.refs, *short, *self.commits, *numbers, "never", "f" * 40])]


@dataclass(frozen=True)
class Allowed:
    """``level``: no-repo | no-revision | withdrawn | card | list | bytes; ``oid`` of the commit that is seen."""

    level: str
    oid: str = ""
    number: int | None = None
    reason: str = ""


@dataclass
class Facts:
    """Everything that was done. ``roles``: (person, scope, role), scope being "hub", an organisation or a repo."""

    repos: dict[str, RepoFacts] = field(default_factory=dict)
    roles: set[tuple[str, str, str]] = field(default_factory=set)
    organisations: set[str] = field(default_factory=set)
    bound: dict[str, tuple[str, str]] = field(default_factory=dict)  # a token's name to (person, the one repo)

    def person(self, who: str, repo: RepoFacts) -> str:
        """As whom ``who`` acts on a repo; "" is nobody."""
        if who in self.bound:
            person, only = self.bound[who]
            return person if only == repo.name else ""
        return "" if who == "nobody" else who

    def roles_on(self, person: str, repo: RepoFacts) -> set[str]:
        roles = {role for name, scope, role in self.roles if name == person and scope in (repo.namespace, repo.name)}
        roles |= {role for name, scope, role in self.roles if name == person and scope == "hub"}
        return roles | ({"admin"} if repo.personal and person == repo.namespace else set())

    def is_writer(self, who: str, repo: RepoFacts) -> bool:
        person = self.person(who, repo)
        return bool(person) and not repo.deleted and bool(self.roles_on(person, repo) & {"write", "admin"})

    def is_internal(self, who: str, repo: RepoFacts) -> bool:
        person = self.person(who, repo)
        return bool(person) and bool(self.roles_on(person, repo) & MEMBER_ROLES)

    def is_partner(self, who: str, repo: RepoFacts) -> bool:
        person = self.person(who, repo)
        belongs = {scope for name, scope, role in self.roles if name == person and role in MEMBER_ROLES}
        return bool(person) and bool(({person} | (belongs & self.organisations)) & repo.partners)

    def dial_level(self, who: str, repo: RepoFacts, release: ReleaseFacts) -> str:
        """What the two dials alone allow: "" | card | list | bytes | withdrawn."""
        if release.commit is None:
            return ""
        internal, partner = self.is_internal(who, repo), self.is_partner(who, repo)
        circle = {"none"}
        circle |= {"internal"} if internal else set()
        circle |= {"internal", "partners"} if internal else {"partners"} if partner else set()
        person = self.person(who, repo)
        level = ""
        if release.inference in {"gated", "public"} or release.inference in circle - {"none"}:
            level = "card"
        if release.weights == "gated":
            let_in = internal or partner or (bool(person) and repo.requests.get(person) == "accepted")
            level = "bytes" if let_in else "list"
        elif release.weights == "public" or release.weights in circle - {"none"}:
            level = "bytes"
        return "withdrawn" if level and release.withdrawn else level

    def levels(self, who: str, repo: RepoFacts) -> list[dict[int, str]]:
        """By ground (dials, review, audit), the level of each release that this ground shows, by number."""
        roles = self.roles_on(person, repo) if (person := self.person(who, repo)) else set[str]()
        dials = {release.number: self.dial_level(who, repo, release) for release in repo.releases}
        review: dict[int, str] = {}
        audit: dict[int, str] = {}
        for release in repo.releases:
            if "reviewer" in roles and release.state in {"running", "waiting"}:
                review[release.number] = "withdrawn" if release.withdrawn else "bytes"
            if "auditor" in roles:
                audit[release.number] = "withdrawn" if release.withdrawn else "card"
        return [{number: level for number, level in dials.items() if level}, review, audit]

    def allowed(self, who: str, repo: RepoFacts, revision: str) -> Allowed:
        if not repo.exists:
            return Allowed("no-repo")
        if self.is_writer(who, repo):
            return self._for_writer(repo, revision)
        grounds = self.levels(who, repo)
        if not any(grounds):
            return Allowed("no-repo")
        if revision in ("main", "refs/heads/main"):
            meant = [release.number for release in repo.releases]
        else:
            meant = self._meant(repo, revision)
        for shown in grounds:
            numbers = [number for number in meant if number in shown]
            if numbers:
                return self._answer(who, repo, max(numbers), shown[max(numbers)])
        return Allowed("no-revision")

    def releases_seen(self, who: str, repo: RepoFacts) -> list[Allowed]:
        """For who is no writer: every release that is not hidden, newest first."""
        best: dict[int, str] = {}
        for shown in reversed(self.levels(who, repo)):
            best |= shown
        return [self._answer(who, repo, number, best[number]) for number in sorted(best, reverse=True)]

    def _for_writer(self, repo: RepoFacts, revision: str) -> Allowed:
        tries = [revision] if revision in repo.commits else []
        tries += [repo.refs[name] for name in _names(revision) if name in repo.refs]
        if not tries:
            return Allowed("no-revision")
        release = next((release for release in repo.releases if release.commit == tries[0]), None)
        if release is not None and release.withdrawn:
            return Allowed("withdrawn", tries[0], release.number)
        return Allowed("bytes", tries[0], release.number if release else None)

    def _meant(self, repo: RepoFacts, revision: str) -> list[int]:
        if revision.startswith("refs/releases/"):
            return [release.number for release in repo.releases if revision == f"refs/releases/{release.number}"]
        oid = revision
        if len(revision) != 40:
            oid = next((repo.refs[name] for name in _names(revision) if name in repo.refs), "")
        return [release.number for release in repo.releases if oid and oid in (release.candidate, release.commit)]

    def _answer(self, who: str, repo: RepoFacts, number: int, level: str) -> Allowed:
        release = repo.releases[number - 1]
        reason = ""
        if level == "list":
            person = self.person(who, repo)
            reason = {"pending": "pending", "rejected": "rejected"}.get(repo.requests.get(person, ""), "not-asked")
            reason = reason if person else "anonymous"
        return Allowed(level, release.commit or release.candidate, number, reason)


def _names(revision: str) -> list[str]:
    return [revision] if revision.startswith("refs/") else [f"refs/heads/{revision}", f"refs/tags/{revision}"]
