"""The unmodified OMS client is the oracle: the command line of the ``model-signing`` package, in its own process."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from tests.evidence.made import FILES, key
from weighbridge.errors import InvalidInput, VerificationFailed
from weighbridge.evidence.model_signature import sign_model, verify_model_signature
from weighbridge.evidence.public_key import public_pem

PAIRS = [(path, hashlib.sha256(data).hexdigest()) for path, data in FILES.items()]
HUB = key("hub").public_key()


def _put(folder: Path, files: dict[str, bytes]) -> None:
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "tiny"
    _put(folder, FILES)
    (folder / "model.sig").write_text(sign_model(PAIRS, name="tiny", key=key("hub")), encoding="utf-8")
    (tmp_path / "release.pub").write_text(public_pem(key("hub")))
    return folder


def _client(folder: Path) -> subprocess.CompletedProcess[str]:
    client = Path(sys.executable).with_name("model_signing")
    arguments = ["--signature", folder / "model.sig", "--public_key", folder.parent / "release.pub", folder]
    return subprocess.run([client, "verify", "key", *arguments], capture_output=True, text=True)


def test_the_unmodified_client_accepts_it_also_beside_what_hub_and_clients_add(model: Path) -> None:
    added = {".cache/huggingface/download/x.metadata": b"1", ".release/SHA256SUMS": b"2", ".eval_results/a.yaml": b"3"}
    _put(model, added)
    result = _client(model)
    assert (result.returncode, result.stdout) == (0, "Verification succeeded\n"), result.stderr


def test_the_unmodified_client_refuses_changed_added_and_missing_files(model: Path) -> None:
    original = (model / "config.json").read_bytes()
    (model / "config.json").write_bytes(original.replace(b"tiny", b"tinY"))
    changed = _client(model)
    assert changed.returncode != 0 and "config.json" in changed.stderr
    (model / "config.json").write_bytes(original)
    (model / "evil.py").write_bytes(b"")
    assert "evil.py" in _client(model).stderr
    (model / "evil.py").unlink()
    (model / "config.json").unlink()
    assert "config.json" in _client(model).stderr


def test_the_unmodified_client_refuses_another_key(model: Path) -> None:
    (model.parent / "release.pub").write_text(public_pem(key("other")))
    assert "Key mismatch" in _client(model).stderr


def test_the_bundle_says_what_the_specification_wants() -> None:
    bundle = json.loads(sign_model(PAIRS, name="tiny", key=key("hub")))
    assert bundle["mediaType"] == "application/vnd.dev.sigstore.bundle.v0.3+json"
    material = bundle["verificationMaterial"]
    assert material["publicKey"]["hint"] == hashlib.sha256(public_pem(HUB).encode()).hexdigest()
    statement = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    assert statement["predicateType"] == "https://model_signing/signature/v1.0"
    names = [one["name"] for one in statement["predicate"]["resources"]]
    assert names == sorted(set(FILES) - {".gitattributes"})


def test_our_verifier_gives_the_files_back() -> None:
    resources = verify_model_signature(sign_model(PAIRS, name="tiny", key=key("hub")), HUB)
    assert resources == {path: sha256 for path, sha256 in PAIRS if path != ".gitattributes"}


def test_no_flipped_byte_is_accepted() -> None:
    raw = sign_model(PAIRS, name="tiny", key=key("hub")).encode()
    for at in range(len(raw)):
        with pytest.raises(VerificationFailed):
            verify_model_signature(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :], HUB)


def _resigned(change: dict[str, object]) -> str:
    """A signature of the right key over a statement that is not quite ours."""
    from weighbridge.evidence.envelope import pae
    from weighbridge.evidence.public_key import sign_bytes

    bundle = json.loads(sign_model(PAIRS, name="tiny", key=key("hub")))
    statement = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    for path, value in change.items():
        place = statement
        *parents, last = path.split(".")
        for part in parents:
            place = place[int(part)] if part.isdigit() else place[part]
        place[last] = value
    payload = rfc8785.dumps(statement)
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()
    signature = base64.b64encode(sign_bytes(key("hub"), pae(payload))).decode()
    bundle["dsseEnvelope"]["signatures"][0]["sig"] = signature
    return rfc8785.dumps(bundle).decode()


@pytest.mark.parametrize(
    "change",
    [
        {"predicateType": "https://model_signing/Digests/v0.1"},
        {"predicate.serialization.ignore_paths": [".cache", "model.safetensors"]},
        {"predicate.serialization.allow_symlinks": True},
        {"predicate.resources.0.digest": "00" * 32},
        {"predicate.resources.0.name": "config.json"},
        {"predicate.resources.0.algorithm": "blake3"},
        {"predicate.resources.0.digest": "xy"},
        {"_type": "https://in-toto.io/Statement/v0.1"},
    ],
)
def test_a_statement_that_is_not_ours_is_refused_whoever_signed(change: dict[str, object]) -> None:
    with pytest.raises((VerificationFailed, InvalidInput)):
        verify_model_signature(_resigned(change), HUB)


def test_resigning_by_itself_changes_nothing() -> None:
    assert verify_model_signature(_resigned({}), HUB)


@given(st.text() | st.binary())
def test_any_text_is_refused_in_order(text: str | bytes) -> None:
    with pytest.raises(VerificationFailed):
        verify_model_signature(text, HUB)
