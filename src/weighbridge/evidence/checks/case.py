"""One verification under way: what was read, what is trusted, and what earlier checks established."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from weighbridge.errors import InvalidInput, VerificationFailed
from weighbridge.evidence.bundle import SUMS
from weighbridge.evidence.held import Held
from weighbridge.evidence.statement import Subject, Transition
from weighbridge.evidence.sums import parse_sums
from weighbridge.evidence.trust import ReleaseKey, Trust

T = TypeVar("T")


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """A policy's verdict on facts: each rule has at least ``id``, ``severity`` and ``passed``."""

    passed: bool
    rules: tuple[Mapping[str, Any], ...]


Decide = Callable[[str, Mapping[str, Any]], Judgement]
"""Evaluates (policy text, facts). Given by the caller: the policy room lies above this one."""


class Sealed(msgspec.Struct, frozen=True, kw_only=True):
    """What ``digests.json`` established: the release, and the key that signed for it."""

    subject: Subject
    key: ReleaseKey


class AccountKey(msgspec.Struct, frozen=True, kw_only=True):
    """What a hub-signed account-key statement established."""

    account: str
    public_key: str
    roles: tuple[str, ...]


class Signed(msgspec.Struct, frozen=True, kw_only=True):
    """A statement whose signature holds, and its id."""

    id: str
    statement: dict[str, Any]

    @property
    def predicate(self) -> dict[str, Any]:
        """The statement's predicate."""
        predicate: dict[str, Any] = self.statement["predicate"]
        return predicate


class Enclosed(msgspec.Struct, frozen=True, kw_only=True):
    """The statements that travel with the release, sorted by kind."""

    inspection: Signed
    documents: Signed
    account_keys: tuple[Signed, ...]
    approvals: tuple[tuple[Signed, AccountKey], ...]
    decision: Signed
    intent: Signed

    def inputs(self) -> set[str]:
        """Ids of all that the decision may be based on."""
        approvals = (signed for signed, _ in self.approvals)
        return {one.id for one in (self.inspection, self.documents, *self.account_keys, *approvals)}


class Case:
    """Owned by the one thread that runs the checks, in order."""

    def __init__(self, held: Held, trust: Trust, *, decide: Decide, now_ms: int) -> None:
        self.held = held
        self.trust = trust
        self.decide = decide
        self.now_ms = now_ms
        self._sums: dict[str, str] | None = None  # parsed at the first question; owned by `sums`
        self.sealed: Sealed | None = None  # set by `digests`
        self.enclosed: Enclosed | None = None  # set by `statements`
        self.transition: Transition | None = None  # set by `decision`
        self.log_position: int | None = None  # set by `log`

    def sums(self) -> dict[str, str]:
        """Hex sha256 by path, as SHA256SUMS says; it is the signed list only once the line ``digests`` holds.

        Raises:
            VerificationFailed: it cannot be used.
        """
        if self._sums is None:
            try:
                self._sums = parse_sums(self.text(SUMS))
            except InvalidInput as error:
                raise failed(f"{SUMS} cannot be used: {error.message}") from error
        return self._sums

    def proof(self, path: str) -> bytes:
        """The bytes of a file of the proof.

        Raises:
            VerificationFailed: it is missing.
        """
        found = self.held.proof.get(path)
        if found is None:
            raise failed(f"{path} is missing")
        return found

    def text(self, path: str) -> str:
        """A file of the proof as text.

        Raises:
            VerificationFailed: it is missing, or not UTF-8.
        """
        try:
            return self.proof(path).decode("utf-8")
        except UnicodeDecodeError as error:
            raise failed(f"{path} is not UTF-8 text") from error


def failed(reason: str) -> VerificationFailed:
    """The error of a check that does not hold; the caller knows which check it runs."""
    return VerificationFailed(reason, check="")


def needed(value: T | None, check: str) -> T:
    """The value that an earlier check established.

    Raises:
        VerificationFailed: it did not.
    """
    if value is None:
        raise failed(f"not checked: it builds on the line '{check}', which failed")
    return value


def read(value: Any, shape: type[T], what: str) -> T:
    """The value as that shape.

    Raises:
        VerificationFailed: it has another one.
    """
    try:
        return msgspec.convert(value, shape)
    except (msgspec.ValidationError, InvalidInput) as error:
        raise failed(f"{what} is not written as it should be: {error}") from error


def named(paths: Sequence[str], *, most: int = 5) -> str:
    """The paths in words, not more than a few."""
    shown = ", ".join(paths[:most])
    return f"{shown} and {len(paths) - most} more" if len(paths) > most else shown


def size_words(size_bytes: int) -> str:
    """A size in decimal units, as in "269.1 MB"."""
    size = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size_bytes} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
