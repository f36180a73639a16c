"""Proofs: made as RFC 6962 says, verified, and refused when a single bit or byte is another."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from functools import cache

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weighbridge.errors import InvalidInput, VerificationFailed
from weighbridge.tlog.note import Checkpoint, LogSigner
from weighbridge.tlog.proof import (
    Proof,
    consistency_ranges,
    format_proof,
    inclusion_ranges,
    parse_proof,
    verify_consistency,
    verify_inclusion,
    verify_proof,
)
from weighbridge.tlog.tiles import leaf_hash

from .test_tiles import naive_root

MOST = 620
ENTRIES = [b"%d" % number for number in range(MOST)]


@cache
def root(low: int, high: int) -> bytes:
    return naive_root(ENTRIES[low:high])


def naive_inclusion(position: int, low: int, high: int) -> list[bytes]:
    """PATH of RFC 6962, section 2.1.1, word for word."""
    if high - low == 1:
        return []
    split = 1
    while split * 2 < high - low:
        split *= 2
    if position < split:
        return [*naive_inclusion(position, low, low + split), root(low + split, high)]
    return [*naive_inclusion(position - split, low + split, high), root(low, low + split)]


def naive_consistency(old: int, low: int, high: int, *, whole: bool) -> list[bytes]:
    """SUBPROOF of RFC 6962, section 2.1.2, word for word."""
    if old == high - low:
        return [] if whole else [root(low, high)]
    split = 1
    while split * 2 < high - low:
        split *= 2
    if old <= split:
        return [*naive_consistency(old, low, low + split, whole=whole), root(low + split, high)]
    return [*naive_consistency(old - split, low + split, high, whole=False), root(low, low + split)]


def head(size: int) -> Checkpoint:
    return Checkpoint(origin="log", size=size, root=root(0, size), text="")


def inclusion(position: int, size: int) -> tuple[bytes, ...]:
    return tuple(root(*span) for span in inclusion_ranges(position, size))


def consistency(old: int, new: int) -> tuple[bytes, ...]:
    return tuple(root(*span) for span in consistency_ranges(old, new))


sizes = st.integers(1, MOST)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[int, int]:
    size = draw(sizes)
    return draw(st.integers(0, size - 1)), size


def test_small_trees_altogether():
    for size in range(1, 40):
        for position in range(size):
            hashes = inclusion(position, size)
            assert list(hashes) == naive_inclusion(position, 0, size)
            verify_inclusion(leaf_hash(ENTRIES[position]), head(size), position=position, hashes=hashes)
        for old in range(1, size + 1):
            hashes = consistency(old, size)
            assert list(hashes) == naive_consistency(old, 0, size, whole=True)
            verify_consistency(head(old), head(size), hashes)


@given(pairs())
@settings(max_examples=60, deadline=None)
def test_inclusion(pair: tuple[int, int]):
    position, size = pair
    hashes = inclusion(position, size)
    assert list(hashes) == naive_inclusion(position, 0, size)
    verify_inclusion(leaf_hash(ENTRIES[position]), head(size), position=position, hashes=hashes)


@given(pairs())
@settings(max_examples=60, deadline=None)
def test_consistency(pair: tuple[int, int]):
    old, new = pair[0] + 1, pair[1]
    hashes = consistency(old, new)
    assert list(hashes) == naive_consistency(old, 0, new, whole=True)
    verify_consistency(head(old), head(new), hashes)


def flips(hashes: tuple[bytes, ...]) -> list[tuple[bytes, ...]]:
    changed = [(*hashes[:at], bytes([value[0] ^ 1]) + value[1:], *hashes[at + 1 :]) for at, value in enumerate(hashes)]
    changed += [hashes[:-1], hashes[1:]] if hashes else []
    return [*changed, (*hashes, bytes(32)), (bytes(32), *hashes), (*hashes, b""), tuple(bytes(32) for _ in range(64))]


@given(pairs(), st.data())
@settings(max_examples=60, deadline=None)
def test_a_wrong_inclusion_is_refused(pair: tuple[int, int], data: st.DataObject):
    position, size = pair
    hashes = inclusion(position, size)
    leaf = leaf_hash(ENTRIES[position])
    other = data.draw(st.integers(-2, MOST + 2).filter(lambda value: value != position))
    wrong: list[Callable[[], None]] = [
        lambda: verify_inclusion(leaf_hash(b"x"), head(size), position=position, hashes=hashes),
        lambda: verify_inclusion(leaf, head(size), position=other, hashes=hashes),
        lambda: verify_inclusion(leaf, head(size % MOST + 1), position=position, hashes=hashes),
    ]
    wrong += [
        lambda changed=changed: verify_inclusion(leaf, head(size), position=position, hashes=changed)
        for changed in flips(hashes)
    ]
    for call in wrong:
        with pytest.raises(VerificationFailed):
            call()


@given(pairs())
@settings(max_examples=60, deadline=None)
def test_a_wrong_consistency_is_refused(pair: tuple[int, int]):
    old, new = pair[0] + 1, pair[1]
    hashes = consistency(old, new)
    forged = msgspec.structs.replace(head(old), root=hashlib.sha256(b"forged").digest())
    wrong = [(forged, head(new), hashes), (head(old), msgspec.structs.replace(head(new), root=bytes(32)), hashes)]
    wrong += [(head(old), head(new), changed) for changed in flips(hashes)]
    if old < new:
        wrong.append((head(new), head(old), hashes))
    for first, second, path in wrong:
        with pytest.raises(VerificationFailed):
            verify_consistency(first, second, path)


def test_an_empty_tree_proves_nothing():
    empty = Checkpoint(origin="log", size=0, root=naive_root([]), text="")
    for new in (empty, head(1), head(7)):
        with pytest.raises(VerificationFailed):
            verify_consistency(empty, new, ())
    with pytest.raises(VerificationFailed):
        verify_inclusion(leaf_hash(b"0"), empty, position=0, hashes=())


def proof_of(signer: LogSigner, position: int, size: int, *, extra: bytes = bytes(range(32))) -> Proof:
    checkpoint = signer.sign_checkpoint(size, root(0, size)).text
    return Proof(position=position, hashes=inclusion(position, size), checkpoint=checkpoint, extra=extra)


def test_the_file_is_that_of_the_specification(signer: LogSigner):
    proof = proof_of(signer, 2, 4)
    assert format_proof(proof) == (
        "c2sp.org/tlog-proof@v1\n"
        "extra AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
        "index 2\n"
        f"{base64.b64encode(root(3, 4)).decode()}\n"
        f"{base64.b64encode(root(0, 2)).decode()}\n"
        "\n"
        f"hub.example/tlog\n4\n{base64.b64encode(root(0, 4)).decode()}\n"
        "\n"
        f"— hub.example/tlog {proof.checkpoint.rsplit(' ', 1)[1]}"
    )
    alone = proof_of(signer, 0, 1, extra=b"")
    assert format_proof(alone).startswith("c2sp.org/tlog-proof@v1\nindex 0\n\nhub.example/tlog\n1\n")


@given(pairs(), st.binary(max_size=40))
@settings(max_examples=40, deadline=None)
def test_a_file_is_read_back_and_verified(pair: tuple[int, int], extra: bytes):
    signer = LogSigner("hub.example/tlog", _key())
    position, size = pair
    proof = proof_of(signer, position, size, extra=extra)
    text = format_proof(proof)
    assert parse_proof(text) == proof
    proven = verify_proof(text, entry=ENTRIES[position], vkey=signer.vkey)
    assert (proven.position, proven.size, proven.origin) == (position, size, "hub.example/tlog")
    assert (proven.extra, proven.root) == (extra, root(0, size))
    with pytest.raises(VerificationFailed):
        verify_proof(text, entry=ENTRIES[position] + b"x", vkey=signer.vkey)


def test_other_logs_and_keys_are_refused(signer: LogSigner):
    text = format_proof(proof_of(signer, 3, 7))
    same_key = LogSigner("other.example/tlog", _key())
    same_name = LogSigner("hub.example/tlog", _key(b"other"))
    for vkey in (same_key.vkey, same_name.vkey):
        with pytest.raises(VerificationFailed):
            verify_proof(text, entry=ENTRIES[3], vkey=vkey)
    with pytest.raises(InvalidInput):
        verify_proof(text, entry=ENTRIES[3], vkey="nonsense")


def test_only_the_exact_bytes_are_read(signer: LogSigner):
    text = format_proof(proof_of(signer, 3, 7))
    lines = text.split("\n")
    variants = {
        "other header": text.replace("@v1", "@v2"),
        "no header": "\n".join(lines[1:]),
        "carriage returns": text.replace("\n", "\r\n"),
        "leading zero": text.replace("index 3", "index 03"),
        "plus": text.replace("index 3", "index +3"),
        "negative": text.replace("index 3", "index -3"),
        "space": text.replace("index 3", "index 3 "),
        "two spaces": text.replace("index 3", "index  3"),
        "no word": text.replace("index 3", "3"),
        "no index": text.replace("index 3\n", ""),
        "index twice": text.replace("index 3\n", "index 3\nindex 3\n"),
        "extra twice": text.replace("index 3\n", lines[1] + "\nindex 3\n"),
        "extra later": text.replace(lines[1] + "\n", "").replace("index 3\n", "index 3\n" + lines[1] + "\n"),
        "empty extra": text.replace(lines[1], "extra "),
        "extra without padding": text.replace(lines[1], lines[1].rstrip("=")),
        "stray bit": text.replace(lines[1], lines[1][:-2] + "9="),
        "hash without padding": text.replace(lines[3], lines[3].rstrip("=")),
        "short hash": text.replace(lines[3], "AAAA"),
        "space after hash": text.replace(lines[3], lines[3] + " "),
        "space before": " " + text,
        "empty line before": "\n" + text,
        "trailing line": text + "\n",
        "trailing text": text + "x",
        "no last line feed": text[:-1],
        "only a head": text.split("\n\n")[0] + "\n\n",
        "no gap": text.replace("\n\n", "\n", 1),
        "nothing": "",
        "too many hashes": text.replace(lines[3], "\n".join([lines[3]] * 64)),
        "huge": text + "x" * (1 << 20),
        "huge index": text.replace("index 3", "index 99999999999999999999"),
    }
    for name, variant in variants.items():
        assert variant != text, name
        with pytest.raises(VerificationFailed):
            verify_proof(variant, entry=ENTRIES[3], vkey=signer.vkey)
            pytest.fail(name)


def test_every_flipped_bit_is_refused(signer: LogSigner):
    text = format_proof(proof_of(signer, 3, 7))
    raw = bytearray(text.encode())
    extra = range(text.index("extra ") + 6, text.index("\nindex"))
    for at in range(len(raw)):
        if at in extra:
            continue  # not authenticated by the file itself; ours is the nonce, without which the entry is another
        raw[at] ^= 1
        with pytest.raises(VerificationFailed):
            verify_proof(raw.decode("utf-8", "replace"), entry=ENTRIES[3], vkey=signer.vkey)
        raw[at] ^= 1


@given(st.text(max_size=200))
def test_no_text_breaks_the_parser(text: str):
    signer = LogSigner("hub.example/tlog", _key())
    for variant in (text, "c2sp.org/tlog-proof@v1\nindex 0\n" + text, "c2sp.org/tlog-proof@v1\nindex 0\n\n" + text):
        with pytest.raises(VerificationFailed):
            verify_proof(variant, entry=b"0", vkey=signer.vkey)


def _key(seed: bytes = b"test key"):
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(seed).digest())
