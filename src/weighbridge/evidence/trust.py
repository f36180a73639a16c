"""The trust file: which keys a hub signs with, and which key its log has (docs/format.md section 8).

    text = build_trust(hub="https://hub.example", keys=[key.public_key()], valid_from=…, log_origin=…, log_vkey=…)
    trust = parse_trust(text)
    fingerprint(text)                               # "SHA256:…", the line to compare by another way

A trust file that comes with the download proves nothing; it is pinned at first use, or got by another way.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from weighbridge.errors import Conflict, InvalidInput
from weighbridge.evidence.canonical import canonical_json, parse_canonical
from weighbridge.evidence.public_key import key_id, load_public_pem, public_pem
from weighbridge.evidence.times import parse_rfc3339
from weighbridge.tlog.note import parse_vkey

MEDIA_TYPE = "application/vnd.weighbridge.trust.v1+json"
MAX_TRUST_BYTES = 256 << 10
_HOST = re.compile(r"[a-z0-9._\-\[\]:]{1,255}\Z")


class ReleaseKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key that signs releases: SPKI PEM, its id, and the signer that it stands for."""

    public_key: str
    keyid: str
    identity: str
    issuer: str
    valid_from: str


class LogKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The transparency log: its origin line and its C2SP verifier key."""

    origin: str
    vkey: str


class Trust(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A parsed trust file. ``hub`` is the public URL, without a slash at the end."""

    media_type: str = msgspec.field(name="mediaType")
    hub: str
    release_keys: tuple[ReleaseKey, ...]
    log: LogKey

    def public_keys(self) -> list[ec.EllipticCurvePublicKey]:
        """The release keys, in the file's order."""
        return [load_public_pem(key.public_key) for key in self.release_keys]

    def release_key(self, keyid: str) -> ReleaseKey | None:
        """The release key of that id."""
        return next((key for key in self.release_keys if key.keyid == keyid), None)


def build_trust(
    *, hub: str, keys: Iterable[ec.EllipticCurvePublicKey], valid_from: str, log_origin: str, log_vkey: str
) -> str:
    """The text of the trust file, canonical JSON.

    Raises:
        InvalidInput: a value that ``parse_trust`` would refuse.
    """
    identity = f"release@{host_of(hub)}"
    text = canonical_json(
        {
            "mediaType": MEDIA_TYPE,
            "hub": hub,
            "release_keys": [
                {
                    "public_key": public_pem(key),
                    "keyid": key_id(key),
                    "identity": identity,
                    "issuer": hub,
                    "valid_from": valid_from,
                }
                for key in keys
            ],
            "log": {"origin": log_origin, "vkey": log_vkey},
        }
    ).decode("utf-8")
    parse_trust(text)
    return text


def parse_trust(text: str | bytes) -> Trust:
    """What the trust file says.

    Raises:
        InvalidInput: not canonical JSON, a field missing or unknown, or a key that is not what its id says.
    """
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    try:
        trust = msgspec.convert(parse_canonical(raw, limit_bytes=MAX_TRUST_BYTES), Trust)
    except (msgspec.ValidationError, InvalidInput) as error:
        raise InvalidInput(f"could not read the trust file: {error}") from error
    if trust.media_type != MEDIA_TYPE:
        raise InvalidInput(f"could not read the trust file: its media type is {trust.media_type[:80]!r}")
    if not trust.hub.lower().endswith(f"://{host_of(trust.hub)}"):
        raise InvalidInput(f"could not read the trust file: {trust.hub[:200]!r} has more than a scheme and a host")
    if not trust.release_keys:
        raise InvalidInput("could not read the trust file: it has no release key")
    for key in trust.release_keys:
        if key_id(load_public_pem(key.public_key)) != key.keyid:
            raise InvalidInput(f"could not read the trust file: {key.keyid[:80]!r} is not the id of its key")
        parse_rfc3339(key.valid_from)
    _check_vkey(trust.log)
    return trust


def fingerprint(text: str | bytes) -> str:
    """``SHA256:<hex>`` of the trust file's text."""
    raw = text.encode("utf-8") if isinstance(text, str) else text
    return f"SHA256:{hashlib.sha256(raw).hexdigest()}"


def host_of(hub: str) -> str:
    """``host[:port]`` of a hub's URL.

    Raises:
        InvalidInput: it is not an http or https URL.
    """
    try:
        parts = urlsplit(hub)
        host = parts.netloc.lower()
    except ValueError as error:
        raise InvalidInput(f"could not read the hub's address {hub[:200]!r}: {error}") from error
    if parts.scheme not in ("http", "https") or not _HOST.match(host):
        raise InvalidInput(f"could not read the hub's address {hub[:200]!r}: it is not an http or https URL")
    return host


def pin_folder(environ: Mapping[str, str]) -> Path:
    """Where pinned trust files are kept: ``$XDG_CONFIG_HOME/weighbridge/trust``."""
    base = environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path(environ.get("HOME") or "~").expanduser() / ".config") / "weighbridge" / "trust"


def pinned(folder: Path, hub: str) -> str | None:
    """The text pinned for the hub at this URL; None when there is none yet."""
    try:
        return _pin_path(folder, hub).read_bytes().decode("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"could not read the pinned trust file of {hub}: {error}") from error


def pinned_by_key(folder: Path, keyid: str) -> str | None:
    """The pinned text that names the release key ``keyid``; None when no pinned hub has it."""
    if not folder.is_dir():
        return None
    for path in sorted(folder.glob("*.json")):
        text = path.read_text(encoding="utf-8")
        if parse_trust(text).release_key(keyid):
            return text
    return None


def pin(folder: Path, hub: str, text: str) -> None:
    """Keeps the text as the trust file of that hub, durably; only where none is pinned yet.

    Raises:
        Conflict: another one is pinned.
    """
    parse_trust(text)
    path = _pin_path(folder, hub)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with part.open("wb") as file:
        file.write(text.encode("utf-8"))
        file.flush()
        os.fsync(file.fileno())
    try:
        with contextlib.suppress(FileExistsError):
            os.link(part, path)
    finally:
        part.unlink()
    kept = pinned(folder, hub)
    if kept != text:
        raise Conflict(
            f"could not pin the trust file of {hub}: another one is pinned",
            hint=f"If the hub really has new keys, compare the fingerprint by another way and remove {path}.",
        )


def _pin_path(folder: Path, hub: str) -> Path:
    return folder / f"{host_of(hub)}.json"


def _check_vkey(log: LogKey) -> None:
    if parse_vkey(log.vkey).name != log.origin:
        raise InvalidInput("could not read the trust file: its log key is not the key of its log origin")
