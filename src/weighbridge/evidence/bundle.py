"""The proof that travels with a release: ``model.sig`` and every file of ``.release/`` (docs/format.md section 6).

    files = build_release_files(subject=subject, files=pairs, statements=[…], policy_text=…, …, key=key)
    files[".release/SHA256SUMS"]                    # bytes

Deterministic: the same inputs give the same bytes, so a step that runs twice makes the same release commit.
"""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric import ec

from weighbridge.errors import InvalidInput
from weighbridge.evidence import predicates
from weighbridge.evidence.envelope import Envelope, sign_statement
from weighbridge.evidence.model_signature import sign_model
from weighbridge.evidence.public_key import public_pem
from weighbridge.evidence.statement import Subject
from weighbridge.evidence.sums import release_digest, sha256sums

SIGNATURE = "model.sig"
README = ".release/README.md"
SUMS = ".release/SHA256SUMS"
ATTESTATIONS = predicates.ATTESTATIONS_PATH
POLICY = predicates.POLICY_PATH
BOM = ".release/bom.cdx.json"
PROOF = ".release/release.tlog-proof"
PUBLIC_KEY = ".release/release.pub"
DIGESTS = ".release/digests.json"
PROOF_PATHS = (SIGNATURE, README, SUMS, ATTESTATIONS, POLICY, BOM, PROOF, PUBLIC_KEY, DIGESTS)
"""Every file that a release commit has beside the candidate's own."""


def build_release_files(
    *,
    subject: Subject,
    files: Sequence[tuple[str, str]],
    statements: Sequence[Envelope],
    policy_text: str,
    bom_text: str,
    tlog_proof: str,
    readme: str,
    key: ec.EllipticCurvePrivateKey,
) -> dict[str, bytes]:
    """Bytes by path of all that the release commit adds to the candidate's files.

    Args:
        subject: the release.
        files: (path, hex sha256) of each candidate file.
        statements: in the order in which they are to be read: inspection, documents, then account-key and approval of
            each approver, decision, intent.
        policy_text: the policy whose sha256 is in the decision.
        bom_text: CycloneDX JSON.
        tlog_proof: C2SP tlog-proof of the intent.
        readme: how to check, in Markdown.
        key: the hub's release key.

    Raises:
        InvalidInput: ``files`` do not have the subject's release digest.
    """
    sums = sha256sums(files)
    if release_digest(sums) != subject.digest:
        raise InvalidInput("could not write the release: its files do not have the release digest")
    texts = {
        SIGNATURE: sign_model(files, name=subject.repo.rpartition("/")[2], key=key),
        README: readme,
        SUMS: sums,
        ATTESTATIONS: "".join(f"{envelope.text}\n" for envelope in statements),
        POLICY: policy_text,
        BOM: bom_text,
        PROOF: tlog_proof,
        PUBLIC_KEY: public_pem(key),
    }
    written = {path: text.encode("utf-8") for path, text in texts.items()}
    written[DIGESTS] = sign_statement(predicates.digests(subject, files=written), key).text.encode("utf-8")
    return written
