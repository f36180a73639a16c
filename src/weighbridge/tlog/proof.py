"""Inclusion and consistency proofs (RFC 6962, verified as in RFC 9162 section 2.1), and the C2SP tlog-proof file.

Pure: whoever verifies needs the file, the entry's bytes and the log's vkey, and neither database nor network::

    proven = verify_proof(text, entry=leaf_bytes(statement_sha256, nonce), vkey=vkey)
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence

import msgspec

from weighbridge.errors import VerificationFailed
from weighbridge.tlog.note import CHECK, Checkpoint, decode_base64, open_checkpoint, parse_size, parse_vkey
from weighbridge.tlog.tiles import HASH_BYTES, leaf_hash, node_hash

_HEADER = "c2sp.org/tlog-proof@v1"
_MOST_HASHES = 63
_MOST_CHARACTERS = 1 << 20


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """That an entry is in a log: the content of a ``.tlog-proof`` file, not yet verified."""

    position: int
    hashes: tuple[bytes, ...]
    """From the leaf's sibling up to the root's child, 32 bytes each."""
    checkpoint: str
    """The signed note, verbatim."""
    extra: bytes = b""
    """Not authenticated by itself; ours is the entry's nonce, 32 bytes. Empty: there is no such line."""


class ProvenAt(msgspec.Struct, frozen=True, kw_only=True):
    """What a verified proof says: the entry is at ``position`` of the log ``origin``, of ``size`` entries then."""

    position: int
    size: int
    origin: str
    root: bytes
    extra: bytes


def format_proof(proof: Proof) -> str:
    """The ``.tlog-proof`` file."""
    lines = [_HEADER]
    if proof.extra:
        lines.append(f"extra {base64.b64encode(proof.extra).decode()}")
    lines.append(f"index {proof.position}")
    lines += [base64.b64encode(value).decode() for value in proof.hashes]
    return "\n".join(lines) + "\n\n" + proof.checkpoint


def parse_proof(text: str) -> Proof:
    """What the file claims. Its checkpoint is taken verbatim and not looked at.

    Raises:
        VerificationFailed: it is not, to the byte, what ``format_proof`` writes.
    """
    head, gap, checkpoint = text.partition("\n\n")
    lines = head.split("\n")
    if len(text) > _MOST_CHARACTERS or not gap or not checkpoint or lines[0] != _HEADER:
        raise _refuse("it is not a tlog-proof file")
    extra = b""
    if len(lines) > 1 and lines[1].startswith("extra "):
        extra = _base64(lines.pop(1).removeprefix("extra "))
    position = parse_size(lines[1].removeprefix("index ")) if len(lines) > 1 else None
    if position is None or len(lines) - 2 > _MOST_HASHES:
        raise _refuse("its index is malformed, or it has too many hashes")
    hashes = tuple(_base64(line) for line in lines[2:])
    proof = Proof(position=position, hashes=hashes, checkpoint=checkpoint, extra=extra)
    if format_proof(proof) != text:
        raise _refuse("it is not in its canonical form")
    return proof


def verify_proof(text: str, *, entry: bytes, vkey: str) -> ProvenAt:
    """Where the entry is, once the file proves it under the log key that ``vkey`` names.

    Raises:
        InvalidInput: ``vkey`` is not a vkey.
        VerificationFailed: the file is malformed, not signed by that log, or about another entry.
    """
    key = parse_vkey(vkey)
    proof = parse_proof(text)
    checkpoint = open_checkpoint(proof.checkpoint, key)
    verify_inclusion(leaf_hash(entry), checkpoint, position=proof.position, hashes=proof.hashes)
    return ProvenAt(
        position=proof.position,
        size=checkpoint.size,
        origin=checkpoint.origin,
        root=checkpoint.root,
        extra=proof.extra,
    )


def verify_inclusion(leaf: bytes, checkpoint: Checkpoint, *, position: int, hashes: Sequence[bytes]) -> None:
    """Raises ``VerificationFailed`` unless the leaf hash is at ``position`` of the checkpoint's tree."""
    if not 0 <= position < checkpoint.size:
        raise _refuse(f"position {position} is outside of the log's {checkpoint.size} entries")
    _check_hashes(hashes)
    node, last, root = position, checkpoint.size - 1, leaf
    for value in hashes:
        if last == 0:
            raise _refuse("it has too many hashes")
        if node & 1 or node == last:
            root = node_hash(value, root)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            root = node_hash(root, value)
        node, last = node >> 1, last >> 1
    if last or not hmac.compare_digest(root, checkpoint.root):
        raise _refuse("its hashes do not lead from the entry to the log's root")


def verify_consistency(old: Checkpoint, new: Checkpoint, hashes: Sequence[bytes]) -> None:
    """Raises ``VerificationFailed`` unless the tree of ``new`` begins with the whole tree of ``old``.

    A tree of no entries says nothing, so nothing can be proved of it: it is refused.
    """
    if not 0 < old.size <= new.size:
        raise _refuse(f"a log of {new.size} entries cannot be shown to begin with {old.size}")
    _check_hashes(hashes)
    path = list(hashes)
    if old.size == new.size:
        if path or not hmac.compare_digest(old.root, new.root):
            raise _refuse("two checkpoints of one size have different roots")
        return
    if old.size & (old.size - 1) == 0:
        path.insert(0, old.root)
    if not path:
        raise _refuse("it has too few hashes")
    roots = _fold_consistency(path, old_size=old.size, new_size=new.size)
    if not (hmac.compare_digest(roots[0], old.root) and hmac.compare_digest(roots[1], new.root)):
        raise _refuse("the log does not begin with the entries it had before")


def _fold_consistency(path: list[bytes], *, old_size: int, new_size: int) -> tuple[bytes, bytes]:
    """Roots of the old and the new tree that the path leads to (RFC 9162, section 2.1.4.2)."""
    node, last = old_size - 1, new_size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    old = new = path[0]
    for value in path[1:]:
        if last == 0:
            raise _refuse("it has too many hashes")
        if node & 1 or node == last:
            old, new = node_hash(value, old), node_hash(value, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = node_hash(new, value)
        node, last = node >> 1, last >> 1
    if last:
        raise _refuse("it has too few hashes")
    return old, new


def inclusion_ranges(position: int, size: int) -> list[tuple[int, int]]:
    """The subtrees, as (first, end exclusive), whose roots are the inclusion proof, in its order."""
    ranges: list[tuple[int, int]] = []
    low, high = 0, size
    while high - low > 1:
        middle = low + _split(high - low)
        if position < middle:
            ranges.append((middle, high))
            high = middle
        else:
            ranges.append((low, middle))
            low = middle
    return ranges[::-1]


def consistency_ranges(old_size: int, new_size: int) -> list[tuple[int, int]]:
    """The subtrees whose roots are the consistency proof, in its order; ``0 < old_size <= new_size``."""
    ranges: list[tuple[int, int]] = []
    low, high = 0, new_size
    while old_size != high:
        middle = low + _split(high - low)
        if old_size <= middle:
            ranges.append((middle, high))
            high = middle
        else:
            ranges.append((low, middle))
            low = middle
    return [*([(low, high)] if low else []), *ranges[::-1]]


def _split(count: int) -> int:
    """The largest power of two below ``count``."""
    return 1 << ((count - 1).bit_length() - 1)


def _check_hashes(hashes: Sequence[bytes]) -> None:
    if len(hashes) > _MOST_HASHES or any(len(value) != HASH_BYTES for value in hashes):
        raise _refuse("its hashes are malformed")


def _base64(text: str) -> bytes:
    raw = decode_base64(text)
    if not raw:
        raise _refuse("it holds malformed base64")
    return raw


def _refuse(why: str) -> VerificationFailed:
    return VerificationFailed(f"could not trust the log proof: {why}", check=CHECK)
