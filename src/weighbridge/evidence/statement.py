"""In-toto statements about one release: the kinds, the subject, and the transition that they speak of.

    subject = Subject(repo="acme/m", digest=release_digest(sums))
    statement = build_statement(subject, Kind.APPROVAL, predicate)
    kind_of(statement)                              # Kind.APPROVAL

Source: docs/format.md section 5; in-toto attestation framework, spec/v1/statement.md.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any, cast

import msgspec

from weighbridge.errors import InvalidInput

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
AUDIENCES = ("none", "internal", "partners", "gated", "public")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_TRANSITION_TYPE = "https://weighbridge.dev/attestation/transition/v1"


class Kind(StrEnum):
    """What a statement is about; the word that tables, pages and the API use for it."""

    INSPECTION = "inspection"
    DOCUMENTS = "documents"
    ACCOUNT_KEY = "account-key"
    APPROVAL = "approval"
    DECISION = "decision"
    INTENT = "intent"
    EFFECT = "effect"
    WITHDRAWAL = "withdrawal"
    DIGESTS = "digests"


PREDICATE_TYPES = {
    Kind.INSPECTION: "https://in-toto.io/attestation/test-result/v0.1",
    Kind.DOCUMENTS: "https://in-toto.io/attestation/reference/v0.1",
    Kind.ACCOUNT_KEY: "https://weighbridge.dev/attestation/account-key/v1",
    Kind.APPROVAL: "https://weighbridge.dev/attestation/approval/v1",
    Kind.DECISION: "https://slsa.dev/verification_summary/v1",
    Kind.INTENT: _TRANSITION_TYPE,
    Kind.EFFECT: _TRANSITION_TYPE,
    Kind.WITHDRAWAL: "https://weighbridge.dev/attestation/withdrawal/v1",
    Kind.DIGESTS: "https://weighbridge.dev/attestation/digests/v1",
}


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """The release that a statement is about: the repo's full name and the release digest (hex sha256)."""

    repo: str
    digest: str


class Dial(msgspec.Struct, frozen=True, kw_only=True):
    """One dial's turn: audiences, in the order of ``AUDIENCES``."""

    before: str = msgspec.field(name="from")
    after: str = msgspec.field(name="to")


class Transition(msgspec.Struct, frozen=True, kw_only=True):
    """A turn of both dials."""

    weights: Dial
    inference: Dial

    def as_json(self) -> dict[str, Any]:
        """``{"weights": {"from", "to"}, "inference": {"from", "to"}}``."""
        return cast(dict[str, Any], msgspec.to_builtins(self))


def transition_of(weights_from: str, weights_to: str, inference_from: str, inference_to: str) -> Transition:
    """The transition between four audiences.

    Raises:
        InvalidInput: one of them is not an audience.
    """
    return read_transition(
        {
            "weights": {"from": weights_from, "to": weights_to},
            "inference": {"from": inference_from, "to": inference_to},
        }
    )


def read_transition(value: Any) -> Transition:
    """The transition that JSON says.

    Raises:
        InvalidInput: it is not one.
    """
    try:
        transition = msgspec.convert(value, Transition)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"could not read the transition: {error}") from error
    for dial in (transition.weights, transition.inference):
        if dial.before not in AUDIENCES or dial.after not in AUDIENCES:
            raise InvalidInput(f"could not read the transition: {dial.before!r} to {dial.after!r} are not audiences")
    return transition


def build_statement(subject: Subject, kind: Kind, predicate: dict[str, Any]) -> dict[str, Any]:
    """The statement of that kind about one release.

    Raises:
        InvalidInput: the subject's digest is not a hex sha256.
    """
    subjects = [{"name": subject.repo, "digest": {"sha256": subject.digest}}]
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": subjects,
        "predicateType": PREDICATE_TYPES[kind],
        "predicate": predicate,
    }
    check_statement(statement)
    return statement


def check_statement(statement: Any) -> None:
    """Nothing, when this has the shape of an in-toto statement with sha256 subjects.

    Raises:
        InvalidInput: it has not.
    """
    try:
        shape = msgspec.convert(statement, _Shape)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"could not read the statement: {error}") from error
    if shape.type_ != STATEMENT_TYPE:
        raise InvalidInput(f"could not read the statement: its type is {shape.type_[:80]!r}")
    if not shape.subject or any(not is_sha256(one.digest.sha256) for one in shape.subject):
        raise InvalidInput("could not read the statement: a subject has no sha256")


def kind_of(statement: dict[str, Any]) -> Kind:
    """Which kind of ours it is.

    Raises:
        InvalidInput: none.
    """
    predicate_type = statement["predicateType"]
    if predicate_type == _TRANSITION_TYPE:
        phase = statement["predicate"].get("phase")
        if phase in (Kind.INTENT, Kind.EFFECT):
            return Kind(phase)
    else:
        for kind, known in PREDICATE_TYPES.items():
            if known == predicate_type:
                return kind
    raise InvalidInput(f"could not read the statement: unknown predicate type {str(predicate_type)[:120]!r}")


def subject_of(statement: dict[str, Any]) -> Subject:
    """The one release that it is about.

    Raises:
        InvalidInput: it names several subjects.
    """
    subjects = statement["subject"]
    if len(subjects) != 1:
        raise InvalidInput(f"could not read the statement: {len(subjects)} subjects where one release is expected")
    return Subject(repo=subjects[0]["name"], digest=subjects[0]["digest"]["sha256"])


def is_sha256(text: object) -> bool:
    """Whether this is 64 lower-case hex digits."""
    return isinstance(text, str) and _SHA256.match(text) is not None


class _Digest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    sha256: str


class _Subject(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    digest: _Digest


class _Shape(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    type_: str = msgspec.field(name="_type")
    subject: list[_Subject]
    predicateType: str  # noqa: N815 - in-toto's own name
    predicate: dict[str, Any]
