"""DSSE envelopes around in-toto statements (docs/format.md section 5).

    envelope = sign_statement(statement, key)
    statement = open_envelope(envelope.text, [public_key])

An envelope has one accepted form, byte for byte: canonical JSON outside and inside, plain base64, DER with the lower
s. So its sha256, the statement's id, cannot be changed by who holds no key.
Source: secure-systems-lab/dsse protocol.md v1.0, in-toto attestation framework v1.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec

from weighbridge.errors import InvalidInput, VerificationFailed
from weighbridge.evidence.canonical import canonical_json, parse_canonical
from weighbridge.evidence.public_key import check_signature, key_id, sign_bytes
from weighbridge.evidence.statement import check_statement

PAYLOAD_TYPE = "application/vnd.in-toto+json"
MAX_ENVELOPE_BYTES = 64 << 20


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """A signed statement. ``id`` is the hex sha256 of ``text``."""

    text: str
    id: str


class Unverified(msgspec.Struct, frozen=True, kw_only=True):
    """What an envelope says and who it says signed it, before anybody checked the signature."""

    statement: dict[str, Any]
    keyid: str
    id: str
    signature: bytes
    signed: bytes

    def check(self, public_keys: Iterable[ec.EllipticCurvePublicKey]) -> dict[str, Any]:
        """The statement, signed by the one of ``public_keys`` that the envelope names.

        Raises:
            VerificationFailed: no such key, or the signature does not hold.
        """
        for key in public_keys:
            if key_id(key) != self.keyid:
                continue
            try:
                check_signature(key, self.signature, self.signed)
            except InvalidSignature:
                raise _failed(f"the signature by key {self.keyid[:16]}… does not hold") from None
            return self.statement
        raise _failed(f"signed by key {self.keyid[:16]}…, which is not among the accepted keys")


def pae(body: bytes, *, payload_type: str = PAYLOAD_TYPE) -> bytes:
    """The pre-authentication encoding: the bytes that a DSSE signature signs."""
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(body), body)


def sign_statement(statement: dict[str, Any], key: ec.EllipticCurvePrivateKey) -> Envelope:
    """The statement in its envelope, signed by ``key``. Same inputs, same bytes.

    Raises:
        InvalidInput: it is not an in-toto statement as format.md has it, or it cannot be written as canonical JSON.
    """
    check_statement(statement)
    payload = canonical_json(statement)
    # A float of 2**53 or more is written as an integer that nobody may read back: refuse now what would not open later.
    parse_canonical(payload, limit_bytes=MAX_ENVELOPE_BYTES)
    signature = {"keyid": key_id(key.public_key()), "sig": _base64(sign_bytes(key, pae(payload)))}
    text = canonical_json({"payload": _base64(payload), "payloadType": PAYLOAD_TYPE, "signatures": [signature]})
    return Envelope(text=text.decode("utf-8"), id=hashlib.sha256(text).hexdigest())


def open_envelope(text: str | bytes, public_keys: Iterable[ec.EllipticCurvePublicKey]) -> dict[str, Any]:
    """The statement that the envelope holds, signed by one of ``public_keys``.

    Raises:
        VerificationFailed: not in its one accepted form, signed by another key, or the signature does not hold.
    """
    return read_envelope(text).check(public_keys)


def read_envelope(text: str | bytes) -> Unverified:
    """What the envelope holds; the signature is NOT checked yet, only the form.

    Raises:
        VerificationFailed: it is not in its one accepted form.
    """
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    try:
        outer = msgspec.convert(parse_canonical(raw, limit_bytes=MAX_ENVELOPE_BYTES), _Outer)
        payload = plain_base64(outer.payload)
        statement = parse_canonical(payload, limit_bytes=MAX_ENVELOPE_BYTES)
        check_statement(statement)
        signature = plain_base64(outer.signatures[0].sig)
    except (InvalidInput, msgspec.ValidationError) as error:
        raise _failed(f"not a signed statement as Weighbridge writes it: {error}") from error
    if outer.payloadType != PAYLOAD_TYPE:
        raise _failed(f"its payload is of type {outer.payloadType[:80]!r}, not {PAYLOAD_TYPE}")
    return Unverified(
        statement=statement,
        keyid=outer.signatures[0].keyid,
        id=hashlib.sha256(raw).hexdigest(),
        signature=signature,
        signed=pae(payload),
    )


class _Signature(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    keyid: str
    sig: str


class _Outer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    payload: str
    payloadType: str  # noqa: N815 - DSSE's own name
    signatures: tuple[_Signature]


def plain_base64(text: str) -> bytes:
    """The bytes of a base64 text in its one plain form (padded, no line ends, no stray bits).

    Raises:
        InvalidInput: any other form.
    """
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput(f"could not read base64: {error}") from error
    if _base64(raw) != text:
        raise InvalidInput("could not read base64: not in its plain form")
    return raw


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def _failed(reason: str) -> VerificationFailed:
    return VerificationFailed(f"could not open the envelope: {reason}", check="statements")
