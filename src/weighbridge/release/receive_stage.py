"""Receiving: what was put forward is really here, in the size that was said, before anything is done with it."""

from __future__ import annotations

from weighbridge.errors import InvalidInput
from weighbridge.evidence.sums import release_digest, sha256sums
from weighbridge.release.case import read_case
from weighbridge.release.desk import Desk


async def receive_candidate(desk: Desk, release_id: str) -> str:
    """Empty: every byte is stored.

    Raises:
        EntryNotFound: bytes are missing.
        InvalidInput: a size or the release digest is not what was said.
    """
    case = await read_case(desk.db, release_id)
    if release_digest(sha256sums(case.pairs)) != case.row["digest"]:
        raise InvalidInput("could not receive the candidate: its files do not have the release digest")
    for file in case.files:
        if await desk.blobs.size_bytes(file.sha256) != file.size_bytes:
            raise InvalidInput(f"could not receive {file.path}: its stored size is not {file.size_bytes} bytes")
    return ""
