"""What only S3 has: credentials, a server that may be away, uploads in parts."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from weighbridge.errors import StorageError
from weighbridge.storage.blobs import open_s3_blobs
from weighbridge.storage.objects import open_s3_objects

if TYPE_CHECKING:
    from .conftest import S3

UPLOAD = """
import asyncio, json, resource, sys
from pathlib import Path
from typing import TYPE_CHECKING
from weighbridge.storage.blobs import open_s3_blobs

async def main(settings, sha256, path, size):
    blobs = open_s3_blobs(settings.pop("bucket"), "memory", **settings)
    await blobs.put_bytes(b"warm")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    await blobs.put_file(sha256, Path(path), size_bytes=size)
    read = 0
    async for piece in blobs.stream(sha256):
        read += len(piece)
    assert read == size, read
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)

asyncio.run(main(json.loads(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])))
"""


async def test_wrong_credentials_are_told(s3: S3):
    settings = {**s3.settings(), "secret_key": "wrong"}
    blobs = open_s3_blobs(s3.bucket, "x", **settings)
    objects = open_s3_objects(s3.bucket, "x", **settings)
    calls = [blobs.put_bytes(b"x"), blobs.read("0" * 64), objects.get("a"), objects.put("a", b"", create=True)]
    for call in calls:
        with pytest.raises(StorageError) as caught:
            await call
        assert "wrong" not in caught.value.message
        assert caught.value.diagnostics() or "403" in caught.value.message


async def test_a_server_that_is_away_is_told():
    blobs = open_s3_blobs("bucket", endpoint="http://127.0.0.1:9", access_key="a", secret_key="b")
    with pytest.raises(StorageError, match="could not look up"):
        await blobs.has("0" * 64)


async def test_stores_of_one_bucket_do_not_see_each_other(s3: S3):
    one, other = (open_s3_blobs(s3.bucket, prefix, **s3.settings()) for prefix in ("one/", "/other"))
    sha256 = await one.put_bytes(b"mine")
    assert not await other.has(sha256)
    assert await open_s3_blobs(s3.bucket, "one", **s3.settings()).has(sha256)


async def test_an_upload_that_fails_keeps_the_file(tmp_path: Path):
    path = tmp_path / "incoming"
    path.write_bytes(b"weights")
    blobs = open_s3_blobs("bucket", endpoint="http://127.0.0.1:9", access_key="a", secret_key="b")
    with pytest.raises(StorageError):
        await blobs.put_file(hashlib.sha256(b"weights").hexdigest(), path, size_bytes=7)
    assert path.read_bytes() == b"weights"


def test_memory_does_not_grow_with_the_blob(s3: S3, tmp_path: Path):
    size, digest, path = 256 << 20, hashlib.sha256(), tmp_path / "incoming"
    with path.open("wb") as file:
        for _ in range(256):
            piece = os.urandom(1 << 10) * (1 << 10)
            digest.update(piece)
            file.write(piece)
    arguments = [json.dumps({"bucket": s3.bucket, **s3.settings()}), digest.hexdigest(), str(path), str(size)]
    done = subprocess.run([sys.executable, "-c", UPLOAD, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    grown_bytes = int(done.stdout) << 10
    assert grown_bytes < 128 << 20, f"{grown_bytes >> 20} MiB more for a blob of {size >> 20} MiB"
