"""Every way in which a release can be wrong, against a release that is right."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from tests.evidence.made import (
    AUTHOR,
    FILES,
    LOG,
    POLICY,
    REPO,
    REVIEWERS,
    Made,
    failing,
    key,
    line,
    log_signer,
    trust_text,
)
from weighbridge.evidence import predicates
from weighbridge.evidence.bundle import PROOF_PATHS
from weighbridge.evidence.envelope import sign_statement
from weighbridge.evidence.model_signature import sign_model
from weighbridge.evidence.public_key import public_pem
from weighbridge.evidence.statement import Subject, transition_of
from weighbridge.evidence.sums import sha256sums
from weighbridge.evidence.trust import parse_trust
from weighbridge.evidence.verify import CHECKS, Check, Judgement, verify_folder

SHA256_OF_BRACES = hashlib.sha256(b"{}").hexdigest()


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path / "tiny").write()


def test_a_release_that_is_right_passes_every_line(made: Made) -> None:
    result = made.verify()
    assert failing(result) == {}
    assert result.ok and [check.name for check in result.checks] == [name for name, _ in CHECKS]
    assert result.signer and (result.signer.identity, result.signer.issuer) == (
        "release@hub.test:8443",
        "https://hub.test:8443",
    )
    assert result.release and (result.release.repo, result.release.digest) == (REPO, made.subject.digest)
    assert result.release.transition and result.release.transition["weights"] == {"from": "none", "to": "public"}
    assert result.release.log_position == 2
    assert "weights for public" in line(result, "audience").detail
    assert "29 minutes" in line(result, "log").detail
    assert "not withdrawn" not in str(result)


def test_the_same_inputs_make_the_same_files(tmp_path: Path, made: Made) -> None:
    again = Made(tmp_path / "again").write()
    for path in PROOF_PATHS:
        assert (again.folder / path).read_bytes() == (made.folder / path).read_bytes()


def test_lines_come_as_they_are_known(made: Made) -> None:
    seen: list[Check] = []
    trust = parse_trust(trust_text())
    result = verify_folder(
        made.folder, trust, decide=lambda *_: Judgement(passed=True, rules=()), now_ms=0, on_check=seen.append
    )
    assert tuple(seen) == result.checks


def test_a_folder_as_the_clients_leave_it_passes(made: Made) -> None:
    (made.folder / ".cache/huggingface/download").mkdir(parents=True)
    (made.folder / ".cache/huggingface/download/x.metadata").write_text("x")
    assert made.verify().ok


def test_a_snapshot_of_the_clients_cache_passes(tmp_path: Path, made: Made) -> None:
    repo = tmp_path / "models--acme--tiny"
    snapshot = repo / "snapshots" / "c0ffee"
    (repo / "blobs").mkdir(parents=True)
    for path in (path for path in made.folder.rglob("*") if path.is_file()):
        blob = repo / "blobs" / hashlib.sha256(path.read_bytes()).hexdigest()
        blob.write_bytes(path.read_bytes())
        link = snapshot / path.relative_to(made.folder)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(blob, link.parent))
    made.folder = snapshot
    assert failing(made.verify()) == {}


@pytest.mark.parametrize("path", [*FILES, *PROOF_PATHS])
def test_a_flipped_byte_fails_and_names_the_file(made: Made, path: str) -> None:
    file = made.folder / path
    original = file.read_bytes()
    places = {0, 1, len(original) // 3, len(original) // 2, len(original) - 2, len(original) - 1}
    for at in sorted(places):
        for mask in (0x01, 0x80):
            file.write_bytes(original[:at] + bytes([original[at] ^ mask]) + original[at + 1 :])
            result = made.verify()
            assert not result.ok
            name = "files" if path in FILES else "digests"
            assert path in failing(result)[name] or path == ".release/digests.json", failing(result)
    file.write_bytes(original)
    assert made.verify().ok


@pytest.mark.parametrize("path", [*FILES, *PROOF_PATHS])
def test_a_missing_file_fails_and_is_named(made: Made, path: str) -> None:
    (made.folder / path).unlink()
    details = failing(made.verify())
    assert f"missing: {path}" in details["files" if path in FILES else "digests"] or f"{path} is missing" in str(
        details
    )


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("evil.py", "files"),
        ("sub/evil.py", "files"),
        (".git/hooks/post-checkout", "files"),
        (".github/evil.yml", "files"),
        (".gitignore", "files"),
        (".cache/evil.py", "files"),
        (".release/evil.py", "digests"),
        (".eval_results/evil.yaml", "digests"),
    ],
)
def test_an_added_file_fails_and_is_named(made: Made, path: str, name: str) -> None:
    (made.folder / path).parent.mkdir(parents=True, exist_ok=True)
    (made.folder / path).write_bytes(b"")
    assert f"not part of the release: {path}" in failing(made.verify())[name]


def test_a_renamed_file_and_two_that_changed_places_fail(made: Made) -> None:
    (made.folder / "config.json").rename(made.folder / "konfig.json")
    assert failing(made.verify())["files"] == "missing: config.json; not part of the release: konfig.json"
    (made.folder / "konfig.json").rename(made.folder / "config.json")
    (made.folder / "config.json").rename(made.folder / "x")
    (made.folder / "README.md").rename(made.folder / "config.json")
    (made.folder / "x").rename(made.folder / "README.md")
    assert failing(made.verify())["files"] == "changed: README.md, config.json"


def test_a_link_out_of_the_folder_fails_even_if_its_bytes_are_right(made: Made) -> None:
    outside = made.folder.parent / "config.json"
    (made.folder / "config.json").rename(outside)
    (made.folder / "config.json").symlink_to(outside)
    assert failing(made.verify())["files"].startswith("config.json: a link")


def test_an_empty_folder_fails_on_every_line(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = Made(tmp_path / "empty").verify()
    assert [check.name for check in result.checks if check.ok] == []
    assert result.release is None and result.signer is None


def test_the_trust_of_another_hub_fails(made: Made) -> None:
    details = failing(made.verify(parse_trust(trust_text(hub_key="other"))))
    assert "not among the accepted keys" in details["digests"]
    assert made.verify(parse_trust(trust_text(hub_key="other"))).signer is None


def test_the_trust_of_another_log_fails_on_the_log_alone(made: Made) -> None:
    assert set(failing(made.verify(parse_trust(trust_text(origin="other.test/tlog"))))) == {"log"}


def test_a_proof_that_was_made_by_another_key_throughout_fails(tmp_path: Path) -> None:
    kinds = ("seal", "inspection", "documents", "account-key:0", "account-key:1", "decision", "intent")
    forged = Made(tmp_path / "tiny", signers=dict.fromkeys(kinds, "other")).write()
    assert "digests" in failing(forged.verify())
    assert forged.verify(parse_trust(trust_text(hub_key="other"))).signer is not None


def _edit(path: str, value: Any) -> Any:
    """A change of one field of the predicate of one statement: ``decision:verificationResult``."""
    wanted, _, field = path.rpartition("/")

    def change(kind: str, statement: dict[str, Any]) -> dict[str, Any]:
        if kind != wanted:
            return statement
        place = statement
        *parents, last = field.split(".")
        for part in parents:
            place = place[int(part)] if part.isdigit() else place[part]
        place[last] = value
        return statement

    return change


OTHER = transition_of("none", "gated", "none", "none").as_json()


@pytest.mark.parametrize(
    ("path", "value", "name", "reason"),
    [
        # a statement of another release, or of another repo
        ("inspection/subject.0.digest.sha256", "0" * 64, "statements", "another release"),
        ("documents/subject.0.name", "acme/other", "statements", "another release"),
        ("approval:1/subject.0.digest.sha256", "0" * 64, "statements", "another release"),
        ("account-key:0/subject.0.digest.sha256", "0" * 64, "statements", "another release"),
        ("decision/subject.0.digest.sha256", "0" * 64, "statements", "another release"),
        ("intent/subject.0.digest.sha256", "0" * 64, "statements", "another release"),
        # an account key that is not the approver's, or says it of another account
        ("account-key:0/predicate.publicKey", public_pem(key("other")), "statements", "of no account"),
        ("account-key:0/predicate.account", REVIEWERS[1], "statements", "comes twice"),
        ("account-key:0/predicate.publicKey", "x", "statements", "public key"),
        ("account-key:0/predicate.account", AUTHOR, "approvals", "signed with the key of"),
        # an approval of something else
        ("approval:0/predicate.transition", OTHER, "approvals", "another transition"),
        ("approval:0/predicate.policy.digest.sha256", "0" * 64, "approvals", "another policy"),
        ("approval:0/predicate.account", AUTHOR, "approvals", "signed with the key of"),
        ("approval:0/predicate.roles", ["admin"], "approvals", "roles"),
        ("approval:0/predicate.roles", [], "approvals", "roles"),
        ("approval:0/predicate.transition.weights.to", "everyone", "approvals", "not audiences"),
        ("approval:0/predicate.verdict", "maybe", "approvals", "neither yes nor no"),
        # a decision that its evidence does not bear
        ("decision/predicate.facts.approvals.approved", 3, "decision", "differ on approvals"),
        ("decision/predicate.facts.inspection.block", 0.5, "decision", "differ on inspection"),
        ("decision/predicate.rules.0.passed", False, "decision", "approvals"),
        ("decision/predicate.rules", [], "decision", "approvals, clean"),
        ("decision/predicate.verificationResult", "FAILED", "decision", "says FAILED"),
        ("decision/predicate.policy.digest.sha256", "0" * 64, "decision", "not the policy"),
        ("decision/predicate.inputAttestations", [], "decision", "not exactly the enclosed"),
        ("decision/predicate.transition", OTHER, "decision", "differ on transition"),
        ("decision/predicate.facts", "x", "decision", "not written as it should be"),
        # evidence that is not what was decided on
        ("inspection/predicate.sizeBytes", 5, "files", "5 bytes"),
        ("inspection/predicate.findings.0.severity", "block", "decision", "says FAILED"),
        ("documents/predicate.references", 1, "statements", "not written as it should be"),
        ("inspection/predicate.files", 4, "statements", "of 4 files"),
        ("documents/predicate.references.0.digest.sha256", "0" * 64, "statements", "SHA256SUMS is not the document"),
        ("documents/predicate.references.2.digest.sha256", "0" * 64, "statements", "bom.cdx.json is not the document"),
        ("documents/predicate.references.1.name", "nowhere", "statements", "nowhere is not the document"),
        # an intent that is not what was decided
        ("intent/predicate.decision.digest.sha256", "0" * 64, "intent", "another decision"),
        ("intent/predicate.inputAttestations", [], "intent", "not exactly the enclosed"),
        ("intent/predicate.policy.digest.sha256", "0" * 64, "intent", "another policy"),
        ("intent/predicate.transition", OTHER, "intent", "another transition"),
        ("intent/predicate.plannedOn", "soon", "log", "could not read the time"),
    ],
)  # fmt: skip
def test_a_hub_that_cheats_with_its_own_key_is_found_out(
    tmp_path: Path, path: str, value: Any, name: str, reason: str
) -> None:
    details = failing(Made(tmp_path / "tiny", change=_edit(path, value)).write().verify())
    assert reason in details[name], details
    assert "digests" not in details and ("files" not in details or name == "files")


def test_an_approval_in_a_role_that_has_no_say_is_none(tmp_path: Path) -> None:
    def readers(kind: str, statement: dict[str, Any]) -> dict[str, Any]:
        if kind in ("approval:0", "account-key:0"):
            statement["predicate"]["roles"] = ["read"]
        return statement

    details = failing(Made(tmp_path / "tiny", change=readers).write().verify())
    assert "roles that give no say: read" in details["approvals"]


def test_a_decision_without_enough_approvals_fails_when_evaluated_again(tmp_path: Path) -> None:
    made = Made(
        tmp_path / "tiny", reviewers=REVIEWERS[:1], change=_edit("decision/predicate.verificationResult", "PASSED")
    )
    details = failing(made.write().verify())
    assert "the policy says no" in details["decision"]


def test_the_authors_own_approval_does_not_count(tmp_path: Path) -> None:
    made = Made(
        tmp_path / "tiny",
        reviewers=(AUTHOR, REVIEWERS[0]),
        change=_edit("decision/predicate.verificationResult", "PASSED"),
    )
    assert "the policy says no" in failing(made.write().verify())["decision"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("inspection", "0 inspection statements"),
        ("documents", "0 documents statements"),
        ("decision", "0 decision statements"),
        ("intent", "0 intent statements"),
        ("account-key:0", "of no account"),
    ],
)
def test_a_statement_that_was_left_out_is_missed(tmp_path: Path, name: str, reason: str) -> None:
    details = failing(Made(tmp_path / "tiny", drop=frozenset({name})).write().verify())
    assert reason in details["statements"]


def test_an_approval_that_was_left_out_is_missed(tmp_path: Path) -> None:
    details = failing(Made(tmp_path / "tiny", drop=frozenset({"approval:1"})).write().verify())
    assert "its approval is not" in details["approvals"] and "decision" in details and "intent" in details


def test_a_statement_signed_by_whom_it_must_not_be_is_refused(tmp_path: Path) -> None:
    for number, kind in enumerate(("inspection", "documents", "account-key:0", "decision", "intent")):
        made = Made(tmp_path / str(number), signers={kind: REVIEWERS[0]}).write()
        assert "not among the accepted keys" in failing(made.verify())["statements"], kind
    by_hub = Made(tmp_path / "by-hub", signers={"approval:0": "hub"}).write()
    assert "of no account" in failing(by_hub.verify())["statements"]


def test_statements_that_have_no_place_or_come_twice_are_refused(tmp_path: Path) -> None:
    first = Made(tmp_path / "first").write()
    envelopes = first.statements()
    twice = Made(tmp_path / "twice", extra=[envelopes[0]]).write()
    assert "2 inspection statements" in failing(twice.verify())["statements"]
    approved = Made(tmp_path / "approved", extra=[envelopes[4]]).write()
    assert "more than once" in failing(approved.verify())["approvals"]
    withdrawal = predicates.withdrawal(first.subject, advisory={}, reason="", withdrawn_on="2025-11-24T15:31:00Z")
    odd = Made(tmp_path / "odd", extra=[sign_statement(withdrawal, key("hub"))]).write()
    assert "has no place here" in failing(odd.verify())["statements"]
    unknown = sign_statement(withdrawal | {"predicateType": "https://x"}, key("hub"))
    assert "unknown predicate" in failing(Made(tmp_path / "u", extra=[unknown]).write().verify())["statements"]


def test_another_policy_text_fails(tmp_path: Path) -> None:
    made = Made(tmp_path / "tiny", change_files=lambda files: files | {".release/policy.yaml": b"needs: 0\n"}).write()
    details = failing(made.verify())
    assert details["digests"] == "changed: .release/policy.yaml"


def test_another_policy_text_fails_even_under_the_hubs_seal(tmp_path: Path) -> None:
    made = Made(tmp_path / "tiny")
    statements = made.statements()
    made.policy = POLICY.replace("2", "1")
    made.statements = lambda: statements  # type: ignore[method-assign]
    details = failing(made.write().verify())
    assert set(details) >= {"approvals", "decision"} and "another policy text" in details["approvals"]
    assert "not the policy that decided" in details["decision"]


def test_an_intent_that_is_not_in_the_log_fails(tmp_path: Path) -> None:
    made = Made(tmp_path / "tiny")
    other = Made(tmp_path / "other", repo="acme/other")
    other.statements()
    made.log_proof = other.log_proof  # type: ignore[method-assign]
    assert "do not lead" in failing(made.write().verify())["log"]


def test_a_log_proof_without_its_nonce_fails(tmp_path: Path) -> None:
    made = Made(tmp_path / "tiny")
    made.log_proof = lambda: (
        "c2sp.org/tlog-proof@v1\nindex 0\n\n"
        + (  # type: ignore[method-assign]
            log_signer(LOG).sign_checkpoint(1, bytes(32)).text
        )
    )
    assert "does not open the commitment" in failing(made.write().verify())["log"]


def test_a_signature_over_other_files_fails_even_under_the_hubs_seal(made: Made) -> None:
    pairs = [(path, "0" * 64 if path == "config.json" else sha256) for path, sha256 in made.pairs]
    made.reseal(SIGNATURE=sign_model(pairs, name="tiny", key=key("hub")).encode())
    assert failing(made.verify()) == {"model signature": "model.sig and SHA256SUMS differ on config.json"}
    made.reseal(SIGNATURE=sign_model(made.pairs, name="tiny", key=key("other")).encode())
    assert "another key" in failing(made.verify())["model signature"]


def test_a_list_of_other_files_fails_even_under_the_hubs_seal(made: Made) -> None:
    (made.folder / "config.json").write_bytes(b"{}")
    sums = sha256sums([*(pair for pair in made.pairs if pair[0] != "config.json"), ("config.json", SHA256_OF_BRACES)])
    made.reseal(SUMS=sums.encode())
    assert "does not have the release digest" in failing(made.verify())["digests"]


def test_a_list_that_names_the_proof_itself_fails(tmp_path: Path) -> None:
    made = Made(tmp_path / "tiny", files={**FILES, ".release/evil.py": b"x"}).write()
    details = failing(made.verify())
    assert "lists files of the proof itself" in details["files"] and ".release/evil.py" in details["digests"]


def test_another_public_key_fails_even_under_the_hubs_seal(made: Made) -> None:
    made.reseal(PUBLIC_KEY=public_pem(key("other")).encode())
    assert "not the key that signed the release" in failing(made.verify())["digests"]


@pytest.mark.parametrize("data", [b"", b"\xff", b"{}\n", b"not a line feed at the end", b"\n" * 20_000, b"\n"])
@pytest.mark.parametrize("name", ["SIGNATURE", "ATTESTATIONS", "PROOF", "POLICY", "SUMS"])
def test_nonsense_under_the_hubs_seal_fails_in_order(made: Made, name: str, data: bytes) -> None:
    result = made.reseal(**{name: data}).verify()
    assert not result.ok and len(result.checks) == len(CHECKS)


def test_a_seal_of_another_kind_or_of_too_little_fails(tmp_path: Path) -> None:
    subject = Subject(repo=REPO, digest=Made(tmp_path).subject.digest)

    def seal(statement: dict[str, Any]) -> Made:
        text = sign_statement(statement, key("hub")).text.encode()
        changed = Made(tmp_path / hashlib.sha256(text).hexdigest()[:8])
        changed.change_files = lambda files: files | {".release/digests.json": text}
        return changed.write()

    of_little = seal(predicates.digests(subject, files={"model.sig": b""}))
    assert "does not list what a release has" in failing(of_little.verify())["digests"]
    withdrawal = predicates.withdrawal(subject, advisory={}, reason="", withdrawn_on="2025-11-24T15:31:00Z")
    assert "another kind" in failing(seal(withdrawal).verify())["digests"]


def test_a_release_without_approvers_is_decided_by_its_policy(tmp_path: Path) -> None:
    made = Made(tmp_path / "tiny", policy="name: open\nneeds: 0\n", reviewers=()).write()
    assert made.verify().ok
    assert line(made.verify(), "approvals").detail.startswith("none enclosed")
