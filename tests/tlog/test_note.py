"""Signed notes: third-party vectors, and every way in which a note is refused."""

from __future__ import annotations

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from weighbridge.errors import InvalidInput, VerificationFailed
from weighbridge.tlog.note import (
    LogSigner,
    decode_base64,
    leaf_bytes,
    open_checkpoint,
    open_note,
    parse_checkpoint,
    parse_size,
    parse_vkey,
)

# golang.org/x/mod/sumdb/note, the format's first implementation: key, text and signature of its documentation.
NEUMANN_SEED = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
NEUMANN_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
NEUMANN_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
NEUMANN_NOTE = (
    NEUMANN_TEXT
    + "\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
# Another implementation's documentation (hex.pm signed_note).
FOO_VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
FOO_NOTE = (
    "This is an example message.\n\n— example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
SUM_GOLANG_ORG = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"


def test_third_party_notes_are_accepted():
    neumann, foo = parse_vkey(NEUMANN_VKEY), parse_vkey(FOO_VKEY)
    assert open_note(NEUMANN_NOTE, [foo, neumann]) == (NEUMANN_TEXT, (neumann,))
    assert open_note(FOO_NOTE, [foo]) == ("This is an example message.\n", (foo,))


def test_we_sign_as_third_parties_do():
    signer = LogSigner("PeterNeumann", Ed25519PrivateKey.from_private_bytes(NEUMANN_SEED))
    assert signer.vkey == NEUMANN_VKEY
    assert signer.sign(NEUMANN_TEXT) == NEUMANN_NOTE


@pytest.mark.parametrize("vkey", [NEUMANN_VKEY, FOO_VKEY, SUM_GOLANG_ORG])
def test_third_party_keys_are_read(vkey: str):
    key = parse_vkey(vkey)
    assert key.name == vkey.split("+")[0]
    assert key.key_id.hex() == vkey.split("+")[1]


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "a+b",
        NEUMANN_VKEY + "\n",
        NEUMANN_VKEY[:-1] + "X",  # another key: its hash is another
        NEUMANN_VKEY.replace("c74f20a3", "C74F20A3"),
        NEUMANN_VKEY.replace("c74f20a3", "c74f20a4"),
        NEUMANN_VKEY.replace("PeterNeumann", "Peter Neumann"),
        NEUMANN_VKEY.replace("PeterNeumann", ""),
        NEUMANN_VKEY.replace("PeterNeumann", "Peter\u2003Neumann"),
        NEUMANN_VKEY.replace("+ARpc", "+BBpc"),  # a cosignature key, type 0x04
        NEUMANN_VKEY[:-4],
    ],
)
def test_other_keys_are_refused(vkey: str):
    with pytest.raises(InvalidInput):
        parse_vkey(vkey)


@pytest.mark.parametrize("origin", ["", "a b", "a+b", "a\nb", "a\x00b", "a\u00a0b"])
def test_origins_that_a_note_cannot_carry_are_refused(origin: str):
    with pytest.raises(InvalidInput):
        LogSigner(origin, Ed25519PrivateKey.from_private_bytes(NEUMANN_SEED))


@pytest.mark.parametrize("text", ["", "no line feed", "a\tb\n", "a\rb\n", "a\0\n"])
def test_text_that_a_note_cannot_carry_is_refused(signer: LogSigner, text: str):
    with pytest.raises(InvalidInput):
        signer.sign(text)


def test_text_may_hold_empty_lines(signer: LogSigner):
    assert open_note(signer.sign("a\n\nb\n\n"), [signer.key])[0] == "a\n\nb\n\n"


SIGNATURE = NEUMANN_NOTE.split("\n")[3]


@pytest.mark.parametrize(
    "note",
    [
        "",
        "\n",
        NEUMANN_TEXT,
        NEUMANN_TEXT + "\n",
        NEUMANN_NOTE[:-1],
        NEUMANN_NOTE + "\n",
        NEUMANN_NOTE + "trailing\n",
        NEUMANN_NOTE.replace("problem is.", "problem was."),
        NEUMANN_NOTE.replace("— ", "- "),
        NEUMANN_NOTE.replace("— ", "—  "),
        NEUMANN_NOTE.replace("JnAM=", "JnAN="),  # a stray bit in the base64
        NEUMANN_NOTE.replace("JnAM=", "JnAM"),
        NEUMANN_NOTE.replace("x08go/", "x08ho/"),  # another key id: unknown, so nobody signed
        NEUMANN_NOTE.replace("PeterNeumann", "PeterNeuman"),
        NEUMANN_NOTE.replace("\n", "\r\n"),
        NEUMANN_NOTE.replace("answer", "ans\x07wer"),
        NEUMANN_NOTE + FOO_NOTE.split("\n")[2].replace("Uw2Q", "\tw2Q") + "\n",
        NEUMANN_NOTE + (SIGNATURE + "\n") * 100,
        "x" * (1 << 20) + NEUMANN_NOTE,
    ],
)
def test_broken_notes_are_refused(note: str):
    with pytest.raises(VerificationFailed) as caught:
        open_note(note, [parse_vkey(NEUMANN_VKEY)])
    assert caught.value.check == "transparency log"


def test_unknown_signatures_are_ignored_and_wrong_ones_are_not():
    neumann, foo = parse_vkey(NEUMANN_VKEY), parse_vkey(FOO_VKEY)
    both = NEUMANN_NOTE + FOO_NOTE.split("\n")[2] + "\n"
    assert open_note(both, [neumann])[1] == (neumann,)
    with pytest.raises(VerificationFailed, match=r"example\.com/foo is wrong"):
        open_note(both, [neumann, foo])
    with pytest.raises(VerificationFailed, match="no key"):
        open_note(both, [])


def test_sixteen_signatures_and_more_are_read(signer: LogSigner):
    note = signer.sign("text\n")
    others = "".join(f"— witness{number} {base64.b64encode(bytes(80)).decode()}\n" for number in range(90))
    assert open_note(note + others, [signer.key])[1] == (signer.key,)


def test_checkpoints(signer: LogSigner):
    root = hashlib.sha256(b"root").digest()
    checkpoint = signer.sign_checkpoint(20852163, root)
    assert checkpoint.text.split("\n")[:3] == ["hub.example/tlog", "20852163", base64.b64encode(root).decode()]
    assert open_checkpoint(checkpoint.text, signer.key) == checkpoint == parse_checkpoint(checkpoint.text)


@pytest.mark.parametrize(
    "text",
    [
        "other.example/tlog\n1\n{root}\n",
        "hub.example/tlog\n01\n{root}\n",
        "hub.example/tlog\n-1\n{root}\n",
        "hub.example/tlog\n+1\n{root}\n",
        "hub.example/tlog\n1 \n{root}\n",
        "hub.example/tlog\n١\n{root}\n",
        "hub.example/tlog\n9223372036854775808\n{root}\n",
        "hub.example/tlog\n1\n{root}\nextension\n",
        "hub.example/tlog\n1\n{root}\n\n",
        "hub.example/tlog\n1\nAAAA\n",
        "hub.example/tlog\n1\n\n",
        "\n1\n{root}\n",
        "1\n{root}\n",
    ],
)
def test_signed_text_that_is_no_checkpoint_of_this_log_is_refused(signer: LogSigner, text: str):
    note = signer.sign(text.format(root=base64.b64encode(bytes(32)).decode()))
    with pytest.raises(VerificationFailed):
        open_checkpoint(note, signer.key)


def test_a_leaf_is_canonical_json_that_says_nothing():
    digest = hashlib.sha256(b"envelope").hexdigest()
    commitment = hashlib.sha256(bytes(32) + hashlib.sha256(b"envelope").digest()).hexdigest()
    assert leaf_bytes(digest, bytes(32)) == b'{"commitment":"%s","type":"weighbridge.leaf/v1"}' % commitment.encode()
    for wrong in (
        (digest.upper(), bytes(32)),
        (digest[:-1], bytes(32)),
        (digest, bytes(31)),
        (digest + "\n", bytes(32)),
    ):
        with pytest.raises(InvalidInput):
            leaf_bytes(*wrong)


@given(st.binary(max_size=100))
def test_base64_is_read_back(data: bytes):
    assert decode_base64(base64.b64encode(data).decode()) == data


@given(st.text(max_size=20))
def test_only_the_one_base64_form_is_read(text: str):
    raw = decode_base64(text)
    assert raw is None or base64.b64encode(raw).decode() == text


@given(st.text(alphabet="0123456789 +-_.٣\n", max_size=22))
def test_only_the_one_decimal_form_is_read(text: str):
    size = parse_size(text)
    assert size is None or (str(size) == text and 0 <= size < 2**63)


@given(st.text(max_size=300))
def test_no_text_breaks_the_parser(text: str):
    key = parse_vkey(NEUMANN_VKEY)
    for note in (text, NEUMANN_NOTE + text, text + NEUMANN_NOTE):
        try:
            opened, signed = open_note(note, [key])
        except VerificationFailed:
            continue
        assert (opened, signed[0]) == (NEUMANN_TEXT, key)
