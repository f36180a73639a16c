"""The model signature: ``model.sig`` is by the same key, over the same files."""

from __future__ import annotations

from weighbridge.evidence.bundle import SIGNATURE
from weighbridge.evidence.checks.case import Case, failed, named, needed
from weighbridge.evidence.model_signature import is_ignored, verify_model_signature
from weighbridge.evidence.public_key import load_public_pem


def check_signature(case: Case) -> str:
    """``model.sig`` signs the files of SHA256SUMS, but for those that it ignores by its rules."""
    key = needed(case.sealed, "digests").key
    sums = case.sums()
    resources = verify_model_signature(case.proof(SIGNATURE), load_public_pem(key.public_key))
    signed = {path: sha256 for path, sha256 in sums.items() if not is_ignored(path)}
    if resources != signed:
        other = sorted(path for path in resources.keys() | signed.keys() if resources.get(path) != signed.get(path))
        raise failed(f"model.sig and SHA256SUMS differ on {named(other)}")
    return f"OMS v1.0 signature over {len(resources)} files, by the key of {key.identity}"
