from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from weighbridge.storage.connect import open_database
from weighbridge.storage.database import Database
from weighbridge.storage.objects import ObjectStore, open_local_objects
from weighbridge.tlog import LogSigner


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    database = await open_database(tmp_path / "metadata.sqlite")
    await database.migrate()
    yield database
    await database.close()


@pytest.fixture
def objects(tmp_path: Path) -> ObjectStore:
    return open_local_objects(tmp_path / "tlog")


@pytest.fixture
def signer() -> LogSigner:
    key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"test key").digest())
    return LogSigner("hub.example/tlog", key)
