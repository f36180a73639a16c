"""Small candidates for tests: real safetensors files, accounts, repos, and a desk without DBOS around it."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from weighbridge.accounts import Account, Reader, Role, ScopeKind, create_user, grant_role
from weighbridge.bootstrap import Hub
from weighbridge.hub.git import blob_oid
from weighbridge.hub.naming import Repo
from weighbridge.hub.repo import create_repo
from weighbridge.hub.upload import record_upload
from weighbridge.policy import Judge
from weighbridge.release.candidate import Placed, Wish, WishedFile, put_forward
from weighbridge.release.decide_stage import decide_release, sign_release
from weighbridge.release.desk import Desk
from weighbridge.release.document_stage import document_candidate
from weighbridge.release.inspect_stage import inspect_candidate
from weighbridge.release.log_stage import log_intent
from weighbridge.release.publish_stage import log_effect, publish_release
from weighbridge.release.receive_stage import receive_candidate
from weighbridge.worker import open_desk

CARD = b"---\nlicense: apache-2.0\npipeline_tag: text-generation\nlibrary_name: transformers\n---\n# Tiny\n"
CONFIG = json.dumps({"architectures": ["LlamaForCausalLM"], "model_type": "llama"}).encode()
ALL_SCOPES = frozenset({"read", "write", "approve", "admin"})


def safetensors(values: bytes = bytes(64)) -> bytes:
    """One float32 tensor ``w`` that holds ``values``."""
    entry = {"dtype": "F32", "shape": [len(values) // 4], "data_offsets": [0, len(values)]}
    header = json.dumps({"__metadata__": {"format": "pt"}, "w": entry}).encode()
    header += b" " * (-len(header) % 8)
    return struct.pack("<Q", len(header)) + header + values


def model(values: bytes = bytes(64)) -> dict[str, bytes]:
    """The files of a small model that every policy's inspection passes."""
    return {"README.md": CARD, "config.json": CONFIG, "model.safetensors": safetensors(values)}


async def person(hub: Hub, name: str, *, reviewer: bool = False) -> Reader:
    """A new account with every scope."""
    account = await create_user(hub.db, name=name, now_ms=hub.clock())
    if reviewer:
        await grant_role(hub.db, account_id=account.id, scope=ScopeKind.HUB, role=Role.REVIEWER, now_ms=hub.clock())
    return Reader(account=account, scopes=ALL_SCOPES)


async def repo_of(hub: Hub, reader: Reader, name: str = "tiny", policy: str | None = None) -> Repo:
    """A new repo in the reader's namespace."""
    account = reader.require_account()
    return await create_repo(
        hub.db, reader, type="model", namespace=account.name, name=name, put_bytes=hub.blobs.put_bytes,
        now_ms=hub.clock(), wish="internal", policy=policy,
    )  # fmt: skip


async def bring(hub: Hub, repo: Repo, account: Account, files: dict[str, bytes]) -> list[WishedFile]:
    """The files, stored and noted as this account's uploads."""
    wished: list[WishedFile] = []
    for path, content in files.items():
        sha256 = await hub.blobs.put_bytes(content)
        await record_upload(
            hub.db, repo, account.id, sha256=sha256, git_oid=blob_oid(content), size_bytes=len(content),
            is_text=path != "model.safetensors", now_ms=hub.clock(),
        )  # fmt: skip
        wished.append(WishedFile(path=path, sha256=sha256, size_bytes=len(content)))
    return wished


async def put(hub: Hub, repo: Repo, reader: Reader, files: dict[str, bytes] | None = None, **wish: str) -> Placed:
    """A release put forward, its files brought first."""
    wished = await bring(hub, repo, reader.require_account(), files or model())
    return await put_forward(
        hub.db, hub.blobs, repo, reader, Wish(files=wished, **wish), hub_policy="open", now_ms=hub.clock()
    )


@asynccontextmanager
async def desk_of(hub: Hub) -> AsyncIterator[Desk]:
    """The worker's desk of a hub, with its judge."""
    async with Judge() as judge:
        yield await open_desk(hub, judge)


async def to_the_gate(desk: Desk, release_id: str) -> str:
    """Where the gate stands after inspection and documents."""
    assert await receive_candidate(desk, release_id) == ""
    assert await inspect_candidate(desk, release_id) == ""
    assert await document_candidate(desk, release_id) == ""
    return await decide_release(desk, release_id)


async def through_the_gate(desk: Desk, release_id: str) -> str:
    """Id of the release commit, all stages done."""
    assert await sign_release(desk, release_id) == "open"
    await log_intent(desk, release_id)
    commit = await publish_release(desk, release_id)
    await log_effect(desk, release_id)
    return commit


def sha256_of(content: bytes) -> str:
    """Hex sha256."""
    return hashlib.sha256(content).hexdigest()
