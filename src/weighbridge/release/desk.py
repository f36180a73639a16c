"""What the worker's steps are given: stores, keys, clock. Only the worker makes one, since it holds the keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from weighbridge.policy import Judge
from weighbridge.storage.blobs import BlobStore
from weighbridge.storage.database import Database
from weighbridge.storage.objects import ObjectStore
from weighbridge.tlog import LogSigner


@dataclass(frozen=True, kw_only=True)
class Desk:
    """Everything a step needs. Only the worker process has one, since it holds the keys."""

    db: Database
    blobs: BlobStore
    objects: ObjectStore
    clock: Callable[[], int]
    public_url: str
    hub_policy: str
    release_key: ec.EllipticCurvePrivateKey
    log_signer: LogSigner
    account_keys: Path
    scratch: Path
    judge: Judge
