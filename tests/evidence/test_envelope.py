from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
import rfc8785
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from tests.evidence.made import key
from weighbridge.errors import InvalidInput, VerificationFailed
from weighbridge.evidence.envelope import open_envelope, pae, read_envelope, sign_statement
from weighbridge.evidence.public_key import key_id
from weighbridge.evidence.statement import Kind, Subject, build_statement

STATEMENT = build_statement(Subject(repo="acme/tiny", digest="ab" * 32), Kind.WITHDRAWAL, {"reason": "é", "n": 1.5})
HUB = key("hub").public_key()
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def test_pae_is_that_of_the_dsse_protocol() -> None:
    # The example of secure-systems-lab/dsse protocol.md.
    assert pae(b"hello world", payload_type="http://example.com/HelloWorld") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_what_is_signed_opens_again_and_the_id_is_the_digest_of_the_text() -> None:
    envelope = sign_statement(STATEMENT, key("hub"))
    assert open_envelope(envelope.text, [key("other").public_key(), HUB]) == STATEMENT
    assert envelope.id == hashlib.sha256(envelope.text.encode()).hexdigest()
    outer = json.loads(envelope.text)
    assert outer["payloadType"] == "application/vnd.in-toto+json"
    assert outer["signatures"][0]["keyid"] == key_id(HUB)
    assert base64.b64decode(outer["payload"]) == rfc8785.dumps(STATEMENT)


def test_the_signature_is_plain_ecdsa_that_any_library_checks() -> None:
    outer = json.loads(sign_statement(STATEMENT, key("hub")).text)
    signed = pae(base64.b64decode(outer["payload"]))
    HUB.verify(base64.b64decode(outer["signatures"][0]["sig"]), signed, ec.ECDSA(hashes.SHA256()))


def test_signing_twice_gives_the_same_bytes() -> None:
    assert sign_statement(STATEMENT, key("hub")) == sign_statement(STATEMENT, key("hub"))


def test_another_key_does_not_open_it() -> None:
    with pytest.raises(VerificationFailed, match="not among the accepted keys"):
        open_envelope(sign_statement(STATEMENT, key("other")).text, [HUB])


def test_no_flipped_byte_opens() -> None:
    raw = sign_statement(STATEMENT, key("hub")).text.encode()
    for at in range(len(raw)):
        for mask in (1, 0x20):
            changed = raw[:at] + bytes([raw[at] ^ mask]) + raw[at + 1 :]
            with pytest.raises(VerificationFailed):
                open_envelope(changed, [HUB])


def test_the_same_signature_in_its_other_form_is_refused() -> None:
    outer = json.loads(sign_statement(STATEMENT, key("hub")).text)
    r, s = decode_dss_signature(base64.b64decode(outer["signatures"][0]["sig"]))
    outer["signatures"][0]["sig"] = base64.b64encode(encode_dss_signature(r, ORDER - s)).decode()
    with pytest.raises(VerificationFailed, match="does not hold"):
        open_envelope(rfc8785.dumps(outer), [HUB])


def _outer() -> dict[str, Any]:
    return json.loads(sign_statement(STATEMENT, key("hub")).text)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(_outer()),
        sign_statement(STATEMENT, key("hub")).text + "\n",
        rfc8785.dumps(_outer() | {"more": 1}).decode(),
        rfc8785.dumps(_outer() | {"signatures": []}).decode(),
        rfc8785.dumps(_outer() | {"signatures": _outer()["signatures"] * 2}).decode(),
        rfc8785.dumps(_outer() | {"payloadType": "text/plain"}).decode(),
        rfc8785.dumps(_outer() | {"payload": _outer()["payload"] + "\n"}).decode(),
        rfc8785.dumps(_outer() | {"payload": base64.b64encode(json.dumps(STATEMENT).encode()).decode()}).decode(),
        rfc8785.dumps(_outer() | {"payload": base64.b64encode(b"[]").decode()}).decode(),
        '{"payload":"","payload":""}',
        "[" * 100_000,
        "\ud800",
        "",
    ],
)
def test_only_the_one_form_is_read(text: str) -> None:
    with pytest.raises(VerificationFailed):
        open_envelope(text, [HUB])


@given(st.text() | st.binary())
def test_any_text_is_refused_in_order(text: str | bytes) -> None:
    with pytest.raises(VerificationFailed):
        read_envelope(text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_every_predicate_comes_back_as_it_was(value: Any) -> None:
    statement = build_statement(Subject(repo="acme/tiny", digest="ab" * 32), Kind.WITHDRAWAL, {"value": value})
    try:
        envelope = sign_statement(statement, key("hub"))
    except InvalidInput:  # no exact form in JSON: a lone surrogate, a whole float past 2**53
        return
    # Canonical JSON has one number 1: an integral float comes back as an integer.
    assert open_envelope(envelope.text, [HUB]) == statement


def test_what_is_no_statement_is_not_signed() -> None:
    for wrong in ({}, STATEMENT | {"_type": "x"}, STATEMENT | {"subject": []}, STATEMENT | {"predicate": 1}):
        with pytest.raises(InvalidInput):
            sign_statement(wrong, key("hub"))
