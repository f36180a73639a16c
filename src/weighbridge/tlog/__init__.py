"""The transparency log: an append-only Merkle tree as static C2SP tiles, with proofs that anyone checks offline.

    entry = await append(tx, dedup_key="…", statement_sha256=envelope_id, now_ms=clock())
    checkpoint = await publish(db, objects, signer, now_ms=clock())
    text = format_proof(await prove(db, objects, position=entry.position))
    proven = verify_proof(text, entry=entry.leaf, vkey=signer.vkey)       # needs no database

``note``, ``tiles`` and ``proof`` are pure functions; ``log`` and ``reading`` are given their stores.
"""

from __future__ import annotations

from weighbridge.tlog.log import Entry, append, find_entry, prove, prove_consistency, publish, published
from weighbridge.tlog.note import Checkpoint, LogSigner, leaf_bytes, open_checkpoint, parse_vkey
from weighbridge.tlog.proof import Proof, ProvenAt, format_proof, parse_proof, verify_consistency, verify_proof

__all__ = [
    "Checkpoint",
    "Entry",
    "LogSigner",
    "Proof",
    "ProvenAt",
    "append",
    "find_entry",
    "format_proof",
    "leaf_bytes",
    "open_checkpoint",
    "parse_proof",
    "parse_vkey",
    "prove",
    "prove_consistency",
    "publish",
    "published",
    "verify_consistency",
    "verify_proof",
]
