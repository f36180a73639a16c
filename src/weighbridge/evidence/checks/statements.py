"""The statements: each is signed by who may sign it, and is about this release and no other."""

from __future__ import annotations

import hashlib
from collections import Counter

import msgspec

from weighbridge.errors import InvalidInput, VerificationFailed
from weighbridge.evidence.bundle import ATTESTATIONS, BOM, SUMS
from weighbridge.evidence.checks.case import AccountKey, Case, Enclosed, Signed, failed, needed, read
from weighbridge.evidence.envelope import Unverified, read_envelope
from weighbridge.evidence.public_key import key_id, load_public_pem
from weighbridge.evidence.statement import Kind, Subject, kind_of, subject_of

MAX_STATEMENTS = 10_000
_ONCE = (Kind.INSPECTION, Kind.DOCUMENTS, Kind.DECISION, Kind.INTENT)
_MANY = (Kind.ACCOUNT_KEY, Kind.APPROVAL)


def check_statements(case: Case) -> str:
    """Sets ``case.enclosed``."""
    subject = needed(case.sealed, "digests").subject
    lines = case.text(ATTESTATIONS).split("\n")
    if lines.pop() or len(lines) > MAX_STATEMENTS:
        raise failed(f"{ATTESTATIONS} is cut off, or longer than any release needs")
    by_kind: dict[Kind, list[Unverified]] = {kind: [] for kind in (*_ONCE, *_MANY)}
    for number, line in enumerate(lines, start=1):
        try:
            envelope = read_envelope(line)
            by_kind[_kind(envelope, subject)].append(envelope)
        except (VerificationFailed, InvalidInput) as error:
            raise failed(f"line {number} of {ATTESTATIONS}: {error.message}") from error
    case.enclosed = enclosed = _signed(case, by_kind)
    _check_inspection(case, enclosed.inspection)
    _check_documents(case, enclosed.documents)
    counts = Counter({str(kind): len(found) for kind, found in by_kind.items() if found})
    return f"{len(lines)} signed statements about this release: " + ", ".join(
        f"{count} {kind}" if count > 1 else kind for kind, count in counts.items()
    )


def _kind(envelope: Unverified, subject: Subject) -> Kind:
    kind = kind_of(envelope.statement)
    if kind not in (*_ONCE, *_MANY):
        raise failed(f"a statement of kind {kind} has no place here")
    found = subject_of(envelope.statement)
    if found != subject:
        raise failed(f"the {kind} statement is about another release: {found.repo} {found.digest}")
    return kind


def _signed(case: Case, by_kind: dict[Kind, list[Unverified]]) -> Enclosed:
    hub_keys = case.trust.public_keys()
    for kind in _ONCE:
        if len(by_kind[kind]) != 1:
            raise failed(f"{len(by_kind[kind])} {kind} statements where one is expected")

    def by_hub(kind: Kind) -> list[Signed]:
        try:
            return [Signed(id=one.id, statement=one.check(hub_keys)) for one in by_kind[kind]]
        except VerificationFailed as error:
            raise failed(f"the {kind} statement: {error.message}") from error

    keys = by_hub(Kind.ACCOUNT_KEY)
    accounts = _accounts(keys)
    return Enclosed(
        inspection=by_hub(Kind.INSPECTION)[0],
        documents=by_hub(Kind.DOCUMENTS)[0],
        account_keys=tuple(keys),
        approvals=tuple(_by_person(one, accounts) for one in by_kind[Kind.APPROVAL]),
        decision=by_hub(Kind.DECISION)[0],
        intent=by_hub(Kind.INTENT)[0],
    )


def _accounts(statements: list[Signed]) -> dict[str, AccountKey]:
    """Account keys by key id."""
    found: dict[str, AccountKey] = {}
    for signed in statements:
        predicate = read(signed.predicate, _AccountKey, "an account-key statement")
        try:
            keyid = key_id(load_public_pem(predicate.publicKey))
        except InvalidInput as error:
            raise failed(f"an account-key statement: {error.message}") from error
        if keyid in found or any(one.account == predicate.account for one in found.values()):
            raise failed(f"account {predicate.account} or its key comes twice")
        found[keyid] = AccountKey(
            account=predicate.account, public_key=predicate.publicKey, roles=tuple(predicate.roles)
        )
    return found


def _by_person(envelope: Unverified, accounts: dict[str, AccountKey]) -> tuple[Signed, AccountKey]:
    account = accounts.get(envelope.keyid)
    if account is None:
        raise failed(f"an approval is signed by key {envelope.keyid[:16]}…, which the hub says of no account")
    try:
        statement = envelope.check([load_public_pem(account.public_key)])
    except VerificationFailed as error:
        raise failed(f"the approval of {account.account}: {error.message}") from error
    return Signed(id=envelope.id, statement=statement), account


def _check_inspection(case: Case, inspection: Signed) -> None:
    """What was inspected is all that was released; the line `files` compares the bytes."""
    files = read(inspection.predicate, _Inspection, "the inspection statement").files
    if files != len(case.sums()):
        raise failed(f"the inspection is of {files} files, the release has {len(case.sums())}")


def _check_documents(case: Case, documents: Signed) -> None:
    """The documents that the hub attested are the ones that lie here."""
    held = {"SHA256SUMS": SUMS, "bom.cdx.json": BOM, SUMS: SUMS, BOM: BOM}
    for reference in read(documents.predicate, _Documents, "the documents statement").references:
        if reference.name in held:
            sha256 = hashlib.sha256(case.proof(held[reference.name])).hexdigest()
        else:
            sha256 = case.sums().get(reference.name, "")
        if sha256 != reference.digest.sha256:
            raise failed(f"{reference.name} is not the document that the hub attested")


class _Digest(msgspec.Struct, frozen=True, kw_only=True):
    sha256: str


class _Reference(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    digest: _Digest


class _Documents(msgspec.Struct, frozen=True, kw_only=True):
    references: list[_Reference]


class _Inspection(msgspec.Struct, frozen=True, kw_only=True):
    files: int


class _AccountKey(msgspec.Struct, frozen=True, kw_only=True):
    account: str
    publicKey: str  # noqa: N815 - the predicate's own name
    roles: list[str]
