"""The one error tree. Refuse by raising one of these; ``http/errors.py`` and ``cli/main.py`` map them, once.

raise UnreadableFile("could not read model.safetensors: header is 4294967296 bytes",
                     hint="Copy the file again; it is truncated or not a safetensors file.")
"""

from __future__ import annotations


class WeighbridgeError(Exception):
    """Root of the tree. The message reads "could not X: cause"; ``hint`` says what the person should do next."""

    default_hint = ""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint or self.default_hint

    def diagnostics(self) -> str:
        """What the person should do next, in one or two sentences; empty when there is nothing to add."""
        return self.hint


class InvalidInput(WeighbridgeError):
    """What was sent or named cannot be used as it is (HTTP 400)."""


class UnprocessableFile(InvalidInput):
    """A path or a file breaks a rule of the hub (HTTP 422): reserved, escaping, colliding, not NFC."""


class UnreadableFile(InvalidInput):
    """A model file is truncated, malformed or exceeds a bound of its reader."""


class NotAuthenticated(WeighbridgeError):
    """No credentials, or credentials that are not valid (HTTP 401)."""

    default_hint = "Set HF_TOKEN, or log in with `hf auth login --token TOKEN`."


class NotAllowed(WeighbridgeError):
    """The account is known, and may not do this (HTTP 403)."""


class NotFound(WeighbridgeError):
    """What was named does not exist, or must not be known to exist, for this reader (HTTP 404)."""


class RepoNotFound(NotFound):
    """The repo does not exist for this reader. Same text and same shape whether hidden or absent."""


class RevisionNotFound(NotFound):
    """The revision does not exist for this reader."""


class EntryNotFound(NotFound):
    """The revision exists and has no such file or folder."""


class GatedRepo(NotAllowed):
    """Listing is allowed, bytes need access that this reader does not have (401 anonymous, 403 known)."""


class WithdrawnRelease(NotAllowed):
    """The release was withdrawn; ``advisory`` says why and since when."""

    def __init__(self, message: str, *, advisory: dict[str, object], hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.advisory = advisory


class Conflict(WeighbridgeError):
    """It exists already, or changed meanwhile (HTTP 409, and 412 for ``PreconditionFailed``)."""


class PreconditionFailed(Conflict):
    """The state that the caller based itself on is no longer the current one (HTTP 412)."""


class Refused(WeighbridgeError):
    """Policy says no; ``missing`` names each rule that is not met (HTTP 403)."""

    def __init__(self, message: str, *, missing: tuple[str, ...] = (), hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.missing = missing


class TooLarge(InvalidInput):
    """A size or a count exceeds its bound (HTTP 413)."""


class StorageFull(WeighbridgeError):
    """No space is left where bytes are kept (HTTP 507). Nothing half-written stays visible."""

    default_hint = "Free space under the hub's data folder (`weighbridge doctor` shows how much), then run it again."


class StorageError(WeighbridgeError):
    """A store answered in a way that it should not (HTTP 500)."""


class Unavailable(StorageError):
    """A part of the hub does not answer now, and will when it is up again (HTTP 503)."""


class DigestMismatch(InvalidInput):
    """The bytes are not the ones that their digest names."""


class VerificationFailed(WeighbridgeError):
    """A proof does not hold. ``check`` names the line of `weighbridge verify` that failed."""

    def __init__(self, message: str, *, check: str, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.check = check


class SandboxError(WeighbridgeError):
    """A sandboxed process crashed, ran out of its limits, or answered nonsense."""
