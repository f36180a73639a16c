"""People, repos and releases in every state, laid down through the hub's own operations."""

from __future__ import annotations

import hashlib
import json
import secrets
from typing import Any

from weighbridge.accounts import (
    Account,
    Reader,
    Role,
    ScopeKind,
    authenticate,
    create_organisation,
    create_token,
    create_user,
    grant_role,
    set_password,
)
from weighbridge.bootstrap import Hub
from weighbridge.hub import git
from weighbridge.hub.commit import NewFile, create_author_commit, create_release_commit
from weighbridge.hub.repo import Repo, create_repo
from weighbridge.hub.upload import record_upload
from weighbridge.storage.database import load_queries

RELEASE = load_queries("weighbridge.release")
PASSWORD = "correct horse battery"
CARD = """---
license: apache-2.0
pipeline_tag: text-generation
tags: [demo, small]
---
# Tiny

A **tiny** model. [Licence](LICENSE)
"""
RULES = [
    {
        "id": "clean",
        "title": "The inspection found nothing that blocks",
        "why": "Readers load these files.",
        "severity": "block",
        "passed": True,
        "remedy": "",
        "detail": "0 findings that block",
    },
    {
        "id": "two",
        "title": "Two people other than the author approve",
        "why": "One person alone opens nothing.",
        "severity": "block",
        "passed": False,
        "remedy": "Ask two reviewers to run `weighbridge approve`.",
        "detail": "0 of 2 approvals",
    },
]


class World:
    """A hub with people: lin may write in acme, ada reviews, eve is nobody there."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.tokens: dict[str, str] = {}
        self.accounts: dict[str, Account] = {}
        self._clock = 1_795_527_667_000

    async def people(self) -> None:
        organisation = await create_organisation(self.hub.db, name="acme", now_ms=self.now())
        for name, role in (("lin", Role.WRITE), ("ada", Role.REVIEWER), ("eve", None)):
            account = await create_user(self.hub.db, name=name, now_ms=self.now())
            self.accounts[name] = account
            _, self.tokens[name] = await create_token(
                self.hub.db, account_id=account.id, name="t", scopes=["read", "write", "approve"], now_ms=self.now()
            )
            if role:
                await grant_role(
                    self.hub.db,
                    account_id=account.id,
                    scope=ScopeKind.ORGANISATION,
                    scope_id=organisation.id,
                    role=role,
                    now_ms=self.now(),
                )

    async def password(self, name: str) -> None:
        await set_password(self.hub.db, self.accounts[name].id, PASSWORD, now_ms=self.now())

    def now(self) -> int:
        self._clock += 1000
        return self._clock

    async def reader(self, name: str) -> Reader:
        return await authenticate(self.hub.db, self.tokens[name], now_ms=self.now())

    async def repo(self, name: str, *, card: str = CARD, kind: str = "model", files: dict[str, bytes] | None = None):
        """A repo of acme whose main holds the card, a licence and weights, by lin."""
        repo = await create_repo(
            self.hub.db,
            await self.reader("lin"),
            type=kind,
            namespace="acme",
            name=name,
            put_bytes=self.hub.blobs.put_bytes,
            now_ms=self.now(),
        )
        contents = {"README.md": card.encode(), "LICENSE": b"Apache", "model.safetensors": b"\0secret" + name.encode()}
        commit = await self.commit(repo, contents | (files or {}))
        return repo, commit

    async def commit(self, repo: Repo, contents: dict[str, bytes]):
        new = [await self._upload(repo, path, data) for path, data in contents.items()]
        async with self.hub.db.transaction() as tx:
            return await create_author_commit(
                tx, repo, new, message="Put it forward", author=self.accounts["lin"], now_ms=self.now(), texts=contents
            )

    async def release(
        self,
        repo: Repo,
        commit: Any,
        *,
        state: str = "released",
        weights: str = "public",
        inference: str = "none",
        number: int = 1,
    ) -> str:
        """A release of ``commit``; of state ``released`` with its dials turned and a release commit."""
        db, release_id = self.hub.db, secrets.token_hex(16)
        digest = hashlib.sha256(release_id.encode()).hexdigest()
        await db.run(
            RELEASE["insert_release"],
            id=release_id,
            repo_id=repo.id,
            number=number,
            candidate_oid=commit.oid,
            digest=digest,
            author_id=self.accounts["lin"].id,
            weights_wanted=weights,
            inference_wanted=inference,
            policy="responsible",
            policy_sha256=hashlib.sha256(b"p").hexdigest(),
            policy_text="p",
            now_ms=self.now(),
        )
        await db.run(RELEASE["put_preview"], release_id=release_id, rules=json.dumps(RULES), now_ms=self.now())
        if state == "released":
            extra = [await self._upload(repo, ".release/SHA256SUMS", digest.encode())]
            async with db.transaction() as tx:
                made = await create_release_commit(
                    tx, repo, commit.oid, extra, number=number, author=self.accounts["lin"], now_ms=self.now()
                )
                await tx.run(RELEASE["open_release"], id=release_id, commit_oid=made.oid, now_ms=self.now())
        elif state != "running":
            await db.run(
                RELEASE["set_release_state"], id=release_id, state=state, problem="It broke.", now_ms=self.now()
            )
        return release_id

    async def withdraw(self, release_id: str, *, reason: str) -> None:
        await self.hub.db.run(
            RELEASE["insert_withdrawal"],
            release_id=release_id,
            advisory_id="WB-2026-0001",
            reason=reason,
            actor_id=self.accounts["lin"].id,
            now_ms=self.now(),
        )

    async def _upload(self, repo: Repo, path: str, data: bytes) -> NewFile:
        sha256 = await self.hub.blobs.put_bytes(data)
        is_text, oid = b"\0" not in data, git.blob_oid(data)
        await record_upload(
            self.hub.db,
            repo,
            self.accounts["lin"].id,
            sha256=sha256,
            git_oid=oid,
            size_bytes=len(data),
            is_text=is_text,
            now_ms=self.now(),
        )
        return NewFile(path=path, sha256=sha256, size_bytes=len(data), git_oid=oid, is_text=is_text)
