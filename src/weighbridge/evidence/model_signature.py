"""``model.sig``: an OpenSSF Model Signing (OMS) v1.0 statement in a Sigstore bundle v0.3, key mode.

    text = sign_model([("model.safetensors", "ab…")], name="m", key=key)
    resources = verify_model_signature(text, key.public_key())       # {"model.safetensors": "ab…"}

Made from known digests, so no weights are read again; the unmodified `model_signing verify key` accepts it. OMS's own
subject digest does not bind file names, so nothing of ours refers to it: names are bound by the signed resources.
Source: model_signing 1.1.1 (signing.Payload, sign_ec_key.Signer); specs of Sigstore bundle v0.3 and DSSE.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec

from weighbridge.errors import InvalidInput, VerificationFailed
from weighbridge.evidence.canonical import canonical_json, parse_canonical
from weighbridge.evidence.envelope import PAYLOAD_TYPE, pae, plain_base64
from weighbridge.evidence.public_key import check_signature, public_pem, sign_bytes
from weighbridge.evidence.statement import STATEMENT_TYPE

BUNDLE_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PREDICATE_TYPE = "https://model_signing/signature/v1.0"
IGNORED = (".cache", ".eval_results", ".git", ".gitattributes", ".github", ".gitignore", ".release", "model.sig")
"""Top-level names that the signature leaves out; SHA256SUMS covers the git files among them."""
MAX_SIGNATURE_BYTES = 256 << 20


def is_ignored(path: str) -> bool:
    """Whether ``model.sig`` leaves this path out."""
    return path.partition("/")[0] in IGNORED


def sign_model(files: Iterable[tuple[str, str]], *, name: str, key: ec.EllipticCurvePrivateKey) -> str:
    """The text of ``model.sig`` over (path, hex sha256) pairs, without those that ``is_ignored``.

    Raises:
        InvalidInput: one path twice.
    """
    resources = [
        {"name": path, "algorithm": "sha256", "digest": sha256}
        for path, sha256 in sorted(files)
        if not is_ignored(path)
    ]
    if len({resource["name"] for resource in resources}) != len(resources):
        raise InvalidInput("could not sign the model: a path comes twice")
    payload = canonical_json(
        {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": name, "digest": {"sha256": _root([one["digest"] for one in resources])}}],
            "predicateType": PREDICATE_TYPE,
            "predicate": {
                "serialization": {
                    "method": "files",
                    "hash_type": "sha256",
                    "allow_symlinks": False,
                    "ignore_paths": list(IGNORED),
                },
                "resources": resources,
            },
        }
    )
    signature = base64.b64encode(sign_bytes(key, pae(payload))).decode("ascii")
    bundle: dict[str, Any] = {
        "mediaType": BUNDLE_TYPE,
        "verificationMaterial": {"publicKey": {"hint": _hint(key.public_key())}, "tlogEntries": []},
        "dsseEnvelope": {
            "payload": base64.b64encode(payload).decode("ascii"),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"sig": signature, "keyid": ""}],
        },
    }
    return canonical_json(bundle).decode("utf-8")


def verify_model_signature(text: str | bytes, public_key: ec.EllipticCurvePublicKey) -> dict[str, str]:
    """Hex sha256 by path of what this key signed; only for a text as ``sign_model`` writes it.

    Raises:
        VerificationFailed: another key, another form, or the signature does not hold.
    """
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    try:
        bundle = msgspec.convert(parse_canonical(raw, limit_bytes=MAX_SIGNATURE_BYTES), _Bundle)
        payload = plain_base64(bundle.dsseEnvelope.payload)
        signature = plain_base64(bundle.dsseEnvelope.signatures[0].sig)
        statement = msgspec.convert(parse_canonical(payload, limit_bytes=MAX_SIGNATURE_BYTES), _Statement)
    except (InvalidInput, msgspec.ValidationError) as error:
        raise _failed(f"it is not a signature as Weighbridge writes it: {error}") from error
    if bundle.mediaType != BUNDLE_TYPE or bundle.dsseEnvelope.payloadType != PAYLOAD_TYPE:
        raise _failed("it is not a Sigstore bundle v0.3 of an in-toto statement")
    if bundle.verificationMaterial.publicKey.hint != _hint(public_key):
        raise _failed("it names another key than the trusted one")
    try:
        check_signature(public_key, signature, pae(payload))
    except InvalidSignature:
        raise _failed("the signature does not hold") from None
    return _resources(statement)


def _resources(statement: _Statement) -> dict[str, str]:
    how = statement.predicate.serialization
    if statement.type_ != STATEMENT_TYPE or statement.predicateType != PREDICATE_TYPE:
        raise _failed("it is not an OMS v1.0 statement")
    if (how.method, how.hash_type, how.allow_symlinks, how.ignore_paths) != ("files", "sha256", False, list(IGNORED)):
        raise _failed("it was made with other rules on which files count")
    resources = statement.predicate.resources
    if any(one.algorithm != "sha256" for one in resources):
        raise _failed("a file is signed by another digest than sha256")
    if statement.subject[0].digest.sha256 != _root([one.digest for one in resources]):
        raise _failed("its subject is not the digest of its files")
    found = {one.name: one.digest for one in resources}
    if len(found) != len(resources):
        raise _failed("it names a file twice")
    return found


def _root(digests: Iterable[str]) -> str:
    try:
        return hashlib.sha256(b"".join(bytes.fromhex(digest) for digest in digests)).hexdigest()
    except ValueError as error:
        raise InvalidInput(f"could not sign the model: {error}") from error


def _hint(public_key: ec.EllipticCurvePublicKey) -> str:
    return hashlib.sha256(public_pem(public_key).encode("ascii")).hexdigest()


def _failed(reason: str) -> VerificationFailed:
    return VerificationFailed(f"could not accept model.sig: {reason}", check="model signature")


class _Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the shapes below: JSON with exactly these fields."""


class _PublicKey(_Strict, frozen=True, kw_only=True):
    hint: str


class _Material(_Strict, frozen=True, kw_only=True):
    publicKey: _PublicKey  # noqa: N815
    tlogEntries: tuple[()]  # noqa: N815


class _Signature(_Strict, frozen=True, kw_only=True):
    sig: str
    keyid: str


class _Envelope(_Strict, frozen=True, kw_only=True):
    payload: str
    payloadType: str  # noqa: N815
    signatures: tuple[_Signature]


class _Bundle(_Strict, frozen=True, kw_only=True):
    mediaType: str  # noqa: N815
    verificationMaterial: _Material  # noqa: N815
    dsseEnvelope: _Envelope  # noqa: N815


class _Digest(_Strict, frozen=True, kw_only=True):
    sha256: str


class _Subject(_Strict, frozen=True, kw_only=True):
    name: str
    digest: _Digest


class _Serialization(_Strict, frozen=True, kw_only=True):
    method: str
    hash_type: str
    allow_symlinks: bool
    ignore_paths: list[str]


class _Resource(_Strict, frozen=True, kw_only=True):
    name: str
    algorithm: str
    digest: str


class _Predicate(_Strict, frozen=True, kw_only=True):
    serialization: _Serialization
    resources: list[_Resource]


class _Statement(_Strict, frozen=True, kw_only=True):
    type_: str = msgspec.field(name="_type")
    subject: tuple[_Subject]
    predicateType: str  # noqa: N815
    predicate: _Predicate
