"""Signed notes and checkpoints (C2SP signed-note, tlog-checkpoint), with Ed25519 keys.

A note is text that ends in a line feed, an empty line, and lines ``— <name> <base64(key id ‖ signature)>``::

    signer = LogSigner("hub.example/tlog", private_key)
    text = signer.sign_checkpoint(size, root)
    checkpoint = open_checkpoint(text, [parse_vkey(signer.vkey)])
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Sequence

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from weighbridge.errors import InvalidInput, VerificationFailed

CHECK = "transparency log"
"""The line of ``weighbridge verify`` that fails when anything here does."""

_ED25519 = b"\x01"
_DASH = "— "
_MOST_BYTES = 1 << 20
_MOST_SIGNATURES = 100
_NAME = re.compile(r"[^\s+\x00-\x1f]+")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


class VerifierKey(msgspec.Struct, frozen=True, kw_only=True):
    """A public key by name, as a vkey says it."""

    name: str
    key_id: bytes
    """The first four bytes of sha256(name ‖ 0x0A ‖ 0x01 ‖ public key)."""
    public_key: bytes
    """32 bytes, RFC 8032."""


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A signed tree head."""

    origin: str
    size: int
    root: bytes
    """32 bytes, RFC 6962."""
    text: str
    """The whole note, as signed."""


class LogSigner:
    """Signs as one log. The private key is passed in; it lives in the worker, never in the web process."""

    def __init__(self, origin: str, private_key: Ed25519PrivateKey) -> None:
        public_key = private_key.public_key().public_bytes_raw()
        self._key = VerifierKey(name=_check_name(origin), key_id=key_id(origin, public_key), public_key=public_key)
        self._private_key = private_key

    @property
    def origin(self) -> str:
        """The log's name: the URL of its tiles without the scheme."""
        return self._key.name

    @property
    def vkey(self) -> str:
        """``name+hash+base64(type ‖ public key)``, the text that verifiers are given."""
        return format_vkey(self._key)

    @property
    def key(self) -> VerifierKey:
        """The public half."""
        return self._key

    def sign(self, text: str) -> str:
        """The note of ``text``, which ends in a line feed."""
        _check_text(text)
        signature = self._key.key_id + self._private_key.sign(text.encode())
        return f"{text}\n{_DASH}{self._key.name} {base64.b64encode(signature).decode()}\n"

    def sign_checkpoint(self, size: int, root: bytes) -> Checkpoint:
        """The checkpoint of a tree. Ed25519 is deterministic: the same tree gives the same text again."""
        text = self.sign(f"{self.origin}\n{size}\n{base64.b64encode(root).decode()}\n")
        return Checkpoint(origin=self.origin, size=size, root=root, text=text)


def key_id(name: str, public_key: bytes) -> bytes:
    """Four bytes that tell keys of one name apart."""
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + public_key).digest()[:4]


def format_vkey(key: VerifierKey) -> str:
    """The vkey's text."""
    return f"{key.name}+{key.key_id.hex()}+{base64.b64encode(_ED25519 + key.public_key).decode()}"


def parse_vkey(text: str) -> VerifierKey:
    """The key of a vkey. Raises: InvalidInput, for anything but the exact text that ``format_vkey`` gives."""
    name, _, rest = text.partition("+")
    identifier, _, encoded = rest.partition("+")
    raw = decode_base64(encoded)
    if raw is None or len(raw) != 33 or raw[:1] != _ED25519 or not _NAME.fullmatch(name):
        raise InvalidInput("could not read the log's key: it is not an Ed25519 vkey (name+hash+key)")
    key = VerifierKey(name=name, key_id=key_id(name, raw[1:]), public_key=raw[1:])
    if identifier != key.key_id.hex():
        raise InvalidInput(f"could not read the log's key: its hash is {key.key_id.hex()}, not {identifier[:16]!r}")
    return key


def open_note(note: str, keys: Sequence[VerifierKey]) -> tuple[str, tuple[VerifierKey, ...]]:
    """The note's text and those of ``keys`` that signed it, in the note's order. Unknown signatures are ignored.

    Raises:
        VerificationFailed: the note is malformed, a known key's signature is wrong, or no known key signed.
    """
    text, lines = _split(note)
    signed: list[VerifierKey] = []
    for line in lines:
        name, raw = _parse_signature(line)
        for key in keys:
            if (key.name, key.key_id) == (name, raw[:4]):
                _check_signature(key, raw[4:], text)
                signed.append(key)
    if not signed:
        raise _refuse("no key that is trusted signed it")
    return text, tuple(signed)


def open_checkpoint(note: str, key: VerifierKey) -> Checkpoint:
    """The tree head that ``key`` signed for the log of its own name.

    Raises:
        VerificationFailed: malformed, not signed by it, or of another log.
    """
    text, _ = open_note(note, [key])
    checkpoint = _parse_head(text, note)
    if checkpoint.origin != key.name:
        raise _refuse(f"it is of the log {checkpoint.origin[:200]!r}, not {key.name!r}")
    return checkpoint


def parse_checkpoint(note: str) -> Checkpoint:
    """The tree head that the note *claims*; its signature is not looked at. Raises: VerificationFailed."""
    return _parse_head(_split(note)[0], note)


def leaf_bytes(statement_sha256: str, nonce: bytes) -> bytes:
    """A log entry: canonical JSON with a commitment that says nothing until statement and nonce are shown.

    ``statement_sha256``: hex digest of the envelope; ``nonce``: 32 bytes (docs/format.md, section 7).

    Raises:
        InvalidInput: not a digest, or not 32 bytes.
    """
    if not re.fullmatch(r"[0-9a-f]{64}", statement_sha256) or len(nonce) != 32:
        raise InvalidInput("could not make a log entry: it takes a sha256 in hex and a nonce of 32 bytes")
    commitment = hashlib.sha256(nonce + bytes.fromhex(statement_sha256)).hexdigest()
    return f'{{"commitment":"{commitment}","type":"weighbridge.leaf/v1"}}'.encode()


def decode_base64(text: str) -> bytes | None:
    """The bytes, or None unless ``text`` is their one standard encoding, padded, with no stray bits."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if base64.b64encode(raw).decode() == text else None


def parse_size(text: str) -> int | None:
    """The number, or None unless ``text`` is its one decimal form, under 2**63."""
    if not _SIZE.fullmatch(text) or int(text) >= 1 << 63:
        return None
    return int(text)


def _split(note: str) -> tuple[str, list[str]]:
    if len(note) > _MOST_BYTES:
        raise _refuse("it is over 1 MiB")
    if any(character < " " and character != "\n" for character in note):
        raise _refuse("it holds a control character")
    body, gap, signatures = note.rpartition("\n\n")
    if not gap or not signatures.endswith("\n"):
        raise _refuse("it is not a signed note")
    lines = signatures[:-1].split("\n")
    if len(lines) > _MOST_SIGNATURES:
        raise _refuse(f"it has over {_MOST_SIGNATURES} signatures")
    return body + "\n", lines


def _parse_signature(line: str) -> tuple[str, bytes]:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    raw = decode_base64(encoded)
    if not line.startswith(_DASH) or not _NAME.fullmatch(name) or raw is None or len(raw) < 5:
        raise _refuse("a signature line is malformed")
    return name, raw


def _check_signature(key: VerifierKey, signature: bytes, text: str) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(key.public_key).verify(signature, text.encode())
    except InvalidSignature:
        raise _refuse(f"the signature of {key.name} is wrong") from None


def _parse_head(text: str, note: str) -> Checkpoint:
    lines = text.split("\n")
    if len(lines) != 4 or lines[3] or not lines[0]:
        raise _refuse("it is not an origin, a size and a root hash")
    size, root = parse_size(lines[1]), decode_base64(lines[2])
    if size is None or root is None or len(root) != 32:
        raise _refuse("its size or its root hash is malformed")
    return Checkpoint(origin=lines[0], size=size, root=root, text=note)


def _check_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise InvalidInput(f"could not use {name!r} as a log's origin: it holds a space, a plus or a control character")
    return name


def _check_text(text: str) -> None:
    if not text.endswith("\n") or any(character < " " and character != "\n" for character in text):
        raise InvalidInput("could not sign the note: text must end in a line feed and hold no control characters")


def _refuse(why: str) -> VerificationFailed:
    return VerificationFailed(f"could not trust the log's checkpoint: {why}", check=CHECK)
