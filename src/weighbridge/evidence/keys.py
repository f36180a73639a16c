"""Private keys on disk. Only the worker role imports this.

    key = load_or_create_p256(data / "keys" / "release.pem")

Files are PKCS#8 PEM, mode 0600, made by temporary file, fsync, link (put-if-absent) and fsync of the folder: of two
processes that start at once, both end with the same key.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from weighbridge.errors import StorageError

PrivateKey = ec.EllipticCurvePrivateKey | Ed25519PrivateKey


def load_or_create_p256(path: Path) -> ec.EllipticCurvePrivateKey:
    """The ECDSA P-256 key kept at ``path``, made there first if there is none.

    Raises:
        StorageError: what lies there is not such a key, or others of this machine may read it.
    """
    if not path.exists():
        _create(path, ec.generate_private_key(ec.SECP256R1()))
    key = _load(path)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise StorageError(f"could not use the key {path}: it is not an ECDSA key on P-256")
    return key


def load_or_create_ed25519(path: Path) -> Ed25519PrivateKey:
    """The Ed25519 key kept at ``path``, made there first if there is none.

    Raises:
        StorageError: what lies there is not such a key, or others of this machine may read it.
    """
    if not path.exists():
        _create(path, Ed25519PrivateKey.generate())
    key = _load(path)
    if not isinstance(key, Ed25519PrivateKey):
        raise StorageError(f"could not use the key {path}: it is not an Ed25519 key")
    return key


def derive_salt(key: ec.EllipticCurvePrivateKey, *, purpose: str) -> bytes:
    """32 bytes that only the holder of the key can make again; for digests that must not be guessable (a reason)."""
    scalar = key.private_numbers().private_value.to_bytes(32, "big")
    return hmac.digest(scalar, b"weighbridge salt v1\n" + purpose.encode("utf-8"), hashlib.sha256)


def _load(path: Path) -> object:
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise StorageError(
                    f"could not use the key {path}: other accounts of this machine may read it",
                    hint=f"If nobody else did, run `chmod 600 {path}`; otherwise replace the key.",
                )
            return load_pem_private_key(file.read(1 << 16), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise StorageError(f"could not read the key {path}: {error}") from error


def _create(path: Path, key: PrivateKey) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # another process was first: its key is the key
            os.link(part, path)
    finally:
        part.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
