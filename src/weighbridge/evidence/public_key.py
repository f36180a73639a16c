"""Public keys: their PEM, their id, and whether a signature is theirs.

keyid = key_id(public_key)                      # hex sha256 of the SPKI DER
check_signature(public_key, signature, signed)  # raises InvalidSignature
"""

from __future__ import annotations

import hashlib

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from weighbridge.errors import InvalidInput

MAX_PEM_BYTES = 4096
# Order of the group of P-256 (FIPS 186-5, SEC 2 section 2.4.2). (r, s) and (r, n - s) verify alike: we write and
# accept only the lower s, so that a signed text has one form and one digest.
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def public_pem(key: ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey) -> str:
    """The SPKI PEM text of the key, or of its public half."""
    public = key.public_key() if isinstance(key, ec.EllipticCurvePrivateKey) else key
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode("ascii")


def key_id(public_key: ec.EllipticCurvePublicKey) -> str:
    """Hex sha256 of the SPKI DER: the ``keyid`` of our envelopes."""
    return hashlib.sha256(public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def load_public_pem(text: str) -> ec.EllipticCurvePublicKey:
    """The P-256 key that a PEM text holds; only the exact text that ``public_pem`` writes.

    Raises:
        InvalidInput: not PEM, another kind of key, or other text around it.
    """
    if len(text) > MAX_PEM_BYTES:
        raise InvalidInput("could not read the public key: it is too long to be one")
    try:
        key = load_pem_public_key(text.encode("utf-8"))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidInput(f"could not read the public key: {error}") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise InvalidInput("could not read the public key: it is not an ECDSA key on P-256")
    if public_pem(key) != text:
        raise InvalidInput("could not read the public key: it is not the plain PEM text of one key")
    return key


def sign_bytes(key: ec.EllipticCurvePrivateKey, signed: bytes) -> bytes:
    """ECDSA over SHA-256, DER. Deterministic (RFC 6979), lower s: a step that runs twice writes the same bytes."""
    r, s = decode_dss_signature(key.sign(signed, ec.ECDSA(hashes.SHA256(), deterministic_signing=True)))
    return encode_dss_signature(r, min(s, _P256_ORDER - s))


def check_signature(public_key: ec.EllipticCurvePublicKey, signature: bytes, signed: bytes) -> None:
    """Nothing, when the signature is this key's.

    Raises:
        InvalidSignature: it is not, or it is the same signature in another form.
    """
    try:
        r, s = decode_dss_signature(signature)
    except ValueError as error:
        raise InvalidSignature from error
    if s > _P256_ORDER // 2 or encode_dss_signature(r, s) != signature:
        raise InvalidSignature
    public_key.verify(signature, signed, ec.ECDSA(hashes.SHA256()))
