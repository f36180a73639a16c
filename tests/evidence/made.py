"""A whole small release, built with the product's own builders and a real log, in a folder."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from weighbridge.evidence import bundle, predicates
from weighbridge.evidence.bundle import DIGESTS, PROOF_PATHS, build_release_files
from weighbridge.evidence.envelope import Envelope, open_envelope, sign_statement
from weighbridge.evidence.facts import policy_facts
from weighbridge.evidence.public_key import public_pem
from weighbridge.evidence.statement import Subject, transition_of
from weighbridge.evidence.sums import release_digest, sha256sums
from weighbridge.evidence.trust import Trust, build_trust, parse_trust
from weighbridge.evidence.verify import Check, Decide, Judgement, Verification, verify_folder
from weighbridge.tlog.note import LogSigner, leaf_bytes
from weighbridge.tlog.proof import Proof, format_proof, inclusion_ranges
from weighbridge.tlog.tiles import leaf_hash, node_hash

HUB = "https://hub.test:8443"
LOG = "hub.test:8443/tlog"
REPO = "acme/tiny"
AUTHOR = "urn:uuid:00000000-0000-4000-8000-000000000001"
REVIEWERS = tuple(f"urn:uuid:00000000-0000-4000-8000-00000000000{n}" for n in (2, 3))
NOW_MS = 1_764_000_000_000
POLICY = "name: two-eyes\nneeds: 2\n"
FILES = {
    ".gitattributes": b"*.safetensors filter=lfs\n",
    "README.md": b"---\nlicense: apache-2.0\n---\n# Tiny\n",
    "config.json": b'{"model_type": "tiny"}\n',
    "model.safetensors": bytes(range(256)) * 300,
    "sub/tokenizer é.txt": b"a b c\n",
}
Change = Callable[[str, dict[str, Any]], dict[str, Any]]


def judge(text: str, facts: Mapping[str, Any]) -> Judgement:
    """A policy of two rules, evaluated from its own text: enough people agreed, and nothing blocks."""
    wanted = int(text.rpartition("needs: ")[2])
    rules = (
        {"id": "approvals", "severity": "block", "passed": facts["approvals"]["approved"] >= wanted},
        {"id": "clean", "severity": "block", "passed": facts["inspection"]["block"] == 0},
    )
    return Judgement(passed=all(rule["passed"] for rule in rules), rules=rules)


@functools.cache
def key(name: str) -> ec.EllipticCurvePrivateKey:
    """A key of that name, the same through a test run."""
    del name
    return ec.generate_private_key(ec.SECP256R1())


@functools.cache
def log_signer(origin: str) -> LogSigner:
    """The log's key."""
    return LogSigner(origin, Ed25519PrivateKey.generate())


def trust_text(*, hub_key: str = "hub", origin: str = LOG) -> str:
    """The hub's trust file."""
    signer = log_signer(origin)
    return build_trust(
        hub=HUB,
        keys=[key(hub_key).public_key()],
        valid_from="2025-01-01T00:00:00Z",
        log_origin=signer.origin,
        log_vkey=signer.vkey,
    )


def same(_kind: str, statement: dict[str, Any]) -> dict[str, Any]:
    """The change that changes nothing."""
    return statement


@dataclass
class Made:
    """A release in the making. ``change`` alters a statement before it is signed: a hub that cheats."""

    folder: Path
    files: dict[str, bytes] = field(default_factory=lambda: dict(FILES))
    policy: str = POLICY
    decide: Decide = judge
    reviewers: tuple[str, ...] = REVIEWERS
    change: Change = same
    log_entries: int = 5
    repo: str = REPO
    signers: dict[str, str] = field(default_factory=dict)
    """Names of the keys that sign, by kind, where it is not the hub's."""
    drop: frozenset[str] = frozenset()
    """Names of statements that are left out: `approval:1`, say."""
    extra: list[Envelope] = field(default_factory=list)
    change_files: Callable[[dict[str, bytes]], dict[str, bytes]] = lambda files: files

    @property
    def pairs(self) -> list[tuple[str, str]]:
        return [(path, hashlib.sha256(data).hexdigest()) for path, data in self.files.items()]

    @property
    def subject(self) -> Subject:
        return Subject(repo=self.repo, digest=release_digest(sha256sums(self.pairs)))

    def sign(self, kind: str, statement: dict[str, Any], *, by: str = "hub") -> Envelope:
        return sign_statement(self.change(kind, statement), key(self.signers.get(kind, by)))

    def statements(self) -> list[Envelope]:
        subject, transition = self.subject, transition_of("none", "public", "none", "none")
        policy = predicates.PolicyRef(name="two-eyes", sha256=hashlib.sha256(self.policy.encode()).hexdigest())
        inspection = self.sign("inspection", predicates.inspection(
            subject, result="WARNED", rules_sha256="ab" * 32, passed=["a.b"], warned=["c.d"], failed=[],
            findings=[{"rule": "c.d", "severity": "warn", "file": "config.json"}],
            files=len(self.files), size_bytes=sum(map(len, self.files.values())), facts={"formats": ["safetensors"]},
        ))  # fmt: skip
        references = [
            predicates.Reference(name="SHA256SUMS", sha256=subject.digest, media_type="text/plain"),
            predicates.Reference(
                name="README.md", sha256=dict(self.pairs).get("README.md", "0" * 64), media_type="text/markdown"
            ),
            predicates.Reference(
                name="bom.cdx.json", sha256=hashlib.sha256(b"{}").hexdigest(), media_type="application/json"
            ),
        ]
        documents = self.sign("documents", predicates.documents(
            subject, attester=HUB, references=references, release={"author": AUTHOR, "type": "model"},
            documents={"sums": True, "bom": True, "card": {"present": True, "license": "apache-2.0"}},
        ))  # fmt: skip
        people: list[Envelope] = []
        approvals: list[Envelope] = []
        for number, account in enumerate(self.reviewers):
            people.append(self.sign(f"account-key:{number}", predicates.account_key(
                subject, account=account, public_key_pem=public_pem(key(account)), roles=["reviewer"],
                valid_from="2025-11-01T00:00:00Z",
            )))  # fmt: skip
            approvals.append(self.sign(f"approval:{number}", predicates.approval(
                subject, verdict="approve", transition=transition, policy=policy, account=account, roles=["reviewer"],
                reason_digest=predicates.reason_digest("fine", salt=b"s"), approved_on="2025-11-24T15:00:00Z",
            ), by=account))  # fmt: skip
        inputs = [inspection, documents, *people, *approvals]
        facts = policy_facts(
            inspection=inspection_of(inspection), documents=inspection_of(documents),
            approvals=[inspection_of(one) for one in approvals], transition=transition,
        )  # fmt: skip
        verdict = self.decide(self.policy, facts)
        decision = self.sign("decision", predicates.decision(
            subject, verifier=HUB, resource_uri=f"{HUB}/{self.repo}", policy=policy, inputs=inputs, facts=facts,
            rules=verdict.rules, transition=transition, passed=verdict.passed, decided_on="2025-11-24T15:30:00Z",
        ))  # fmt: skip
        intent = self.sign("intent", predicates.intent(
            subject, transition=transition, decision=decision, inputs=inputs, policy=policy,
            planned_on="2025-11-24T15:31:00Z",
        ))  # fmt: skip
        named = {
            "inspection": inspection, "documents": documents,
            **{f"account-key:{n}": one for n, one in enumerate(people)},
            **{f"approval:{n}": one for n, one in enumerate(approvals)},
            "decision": decision, "intent": intent,
        }  # fmt: skip
        self.intent = intent
        return [*(envelope for name, envelope in named.items() if name not in self.drop), *self.extra]

    def log_proof(self) -> str:
        """The intent among a few other entries of the log."""
        nonce = bytes(32)
        leaves = [leaf_bytes("cd" * 32, bytes([number]) * 32) for number in range(self.log_entries)]
        leaves[self.log_entries // 2] = leaf_bytes(self.intent.id, nonce)
        hashes = [leaf_hash(leaf) for leaf in leaves]
        position = self.log_entries // 2
        return format_proof(Proof(
            position=position,
            hashes=tuple(root(hashes[low:high]) for low, high in inclusion_ranges(position, len(hashes))),
            checkpoint=log_signer(LOG).sign_checkpoint(len(hashes), root(hashes)).text,
            extra=nonce,
        ))  # fmt: skip

    def write(self) -> Made:
        """Puts the candidate's files and the proof into the folder."""
        statements = self.statements()
        proof = build_release_files(
            subject=self.subject, files=self.pairs, statements=statements, policy_text=self.policy, bom_text="{}",
            tlog_proof=self.log_proof(), readme="# How to check\n", key=key(self.signers.get("seal", "hub")),
        )  # fmt: skip
        for path, data in {**self.files, **self.change_files(proof)}.items():
            (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / path).write_bytes(data)
        return self

    def reseal(self, **changes: bytes) -> Made:
        """Changes files of the proof and signs the list anew: a hub that cheats. ``SUMS=…`` stands for its path."""
        paths = [path for path in PROOF_PATHS if path != DIGESTS]
        held = {path: (self.folder / path).read_bytes() for path in paths}
        held |= {getattr(bundle, name): data for name, data in changes.items()}
        held[DIGESTS] = sign_statement(predicates.digests(self.subject, files=held), key("hub")).text.encode()
        for path, data in held.items():
            (self.folder / path).write_bytes(data)
        return self

    def verify(self, trust: Trust | None = None) -> Verification:
        return verify_folder(self.folder, trust or parse_trust(trust_text()), decide=self.decide, now_ms=NOW_MS)


def inspection_of(envelope: Envelope) -> dict[str, Any]:
    """The statement inside an envelope, whoever signed it."""
    keys = [key(name).public_key() for name in ("hub", "other", *REVIEWERS, AUTHOR)]
    return open_envelope(envelope.text, keys)


def root(hashes: list[bytes]) -> bytes:
    """Merkle tree hash of RFC 6962, written out."""
    if len(hashes) == 1:
        return hashes[0]
    half = 1 << ((len(hashes) - 1).bit_length() - 1)
    return node_hash(root(hashes[:half]), root(hashes[half:]))


def failing(verification: Verification) -> dict[str, str]:
    """Detail by name of the lines that do not hold."""
    return {check.name: check.detail for check in verification.checks if not check.ok}


def line(verification: Verification, name: str) -> Check:
    """The line of that name."""
    return next(check for check in verification.checks if check.name == name)
