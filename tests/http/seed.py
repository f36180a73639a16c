"""Puts accounts, repos, commits and releases into a hub through its operations, for the HTTP layer to show.

A release's row is written as the workflow would leave it; everything else goes through the doors.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field

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
)
from weighbridge.bootstrap import Hub
from weighbridge.hub.blob import record_upload
from weighbridge.hub.commit import Commit, NewFile, create_author_commit, create_release_commit
from weighbridge.hub.git import blob_oid
from weighbridge.hub.repo import Repo, create_repo

README = (
    b"---\nlicense: apache-2.0\ntags: [tiny]\npipeline_tag: text-generation\nlibrary_name: transformers\n---\n# Tiny\n"
)
WEIGHTS = bytes(range(256)) * 40


@dataclass
class Seed:
    hub: Hub
    tokens: dict[str, str] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)

    async def user(self, name: str, *, scopes: tuple[str, ...] = ("write", "approve", "admin")) -> str:
        """The token of a new person."""
        account = await create_user(self.hub.db, name=name, now_ms=self.hub.clock())
        self.accounts[name] = account
        _, self.tokens[name] = await create_token(
            self.hub.db, account_id=account.id, name=f"{name}'s", scopes=scopes, now_ms=self.hub.clock()
        )
        return self.tokens[name]

    async def organisation(self, name: str, *, by: str) -> Account:
        self.accounts[name] = await create_organisation(
            self.hub.db, name=name, created_by=self.accounts[by].id, now_ms=self.hub.clock()
        )
        return self.accounts[name]

    async def member(self, name: str, organisation: str, role: Role) -> None:
        await grant_role(
            self.hub.db,
            account_id=self.accounts[name].id,
            scope=ScopeKind.ORGANISATION,
            scope_id=self.accounts[organisation].id,
            role=role,
            now_ms=self.hub.clock(),
        )

    async def reader(self, name: str) -> Reader:
        return await authenticate(self.hub.db, self.tokens[name], now_ms=self.hub.clock())

    async def repo(self, full_name: str, *, by: str, repo_type: str = "model", gated: str = "false") -> Repo:
        namespace, name = full_name.split("/")
        return await create_repo(
            self.hub.db,
            await self.reader(by),
            type=repo_type,
            namespace=namespace,
            name=name,
            put_bytes=self.hub.blobs.put_bytes,
            gated=gated,
            now_ms=self.hub.clock(),
        )

    async def commit(self, repo: Repo, files: dict[str, bytes], *, by: str, message: str = "Files") -> Commit:
        """A commit on main that holds exactly these files."""
        author = self.accounts[by]
        new = [await self._file(repo, author, path, data) for path, data in files.items()]
        async with self.hub.db.transaction() as tx:
            return await create_author_commit(
                tx, repo, new, message=message, author=author, now_ms=self.hub.clock(), texts=files
            )

    async def release(
        self,
        repo: Repo,
        candidate: Commit,
        *,
        number: int = 1,
        weights: str = "public",
        inference: str = "",
        by: str,
        proof: dict[str, bytes] | None = None,
    ) -> Commit:
        """The release commit of a candidate, its dials where they are said to be."""
        author = self.accounts[by]
        files = proof or {"model.sig": b"{}", ".release/SHA256SUMS": b"sums of %d\n" % number}
        extra = [await self._file(repo, author, path, data) for path, data in files.items()]
        now_ms = self.hub.clock()
        async with self.hub.db.transaction() as tx:
            commit = await create_release_commit(
                tx, repo, candidate.oid, extra, number=number, author=author, now_ms=now_ms
            )
            await tx.run(
                """INSERT INTO release (id, repo_id, number, candidate_oid, digest, author_id, weights_wanted,
                     inference_wanted, weights, inference, policy, policy_sha256, policy_text, state, problem,
                     commit_oid, created_ms, updated_ms)
                   VALUES (:id, :repo_id, :number, :candidate, :digest, :author_id, :weights, :inference, :weights,
                     :inference, 'open', '', '', 'released', '', :commit_oid, :now_ms, :now_ms)""",
                id=secrets.token_hex(16),
                repo_id=repo.id,
                number=number,
                candidate=candidate.oid,
                digest=hashlib.sha256(candidate.oid.encode()).hexdigest(),
                author_id=author.id,
                weights=weights,
                inference=inference or weights,
                commit_oid=commit.oid,
                now_ms=now_ms,
            )
        return commit

    async def withdraw(self, repo: Repo, number: int, *, by: str, reason: str = "It was wrong") -> None:
        row = await self.hub.db.one(
            "SELECT id FROM release WHERE repo_id = :repo_id AND number = :number", repo_id=repo.id, number=number
        )
        assert row
        await self.hub.db.run(
            """INSERT INTO withdrawal (release_id, advisory_id, reason, actor_id, statement_id, withdrawn_ms)
               VALUES (:release_id, :advisory_id, :reason, :actor_id, NULL, :now_ms)""",
            release_id=row["id"],
            advisory_id="WB-" + secrets.token_hex(4),
            reason=reason,
            actor_id=self.accounts[by].id,
            now_ms=self.hub.clock(),
        )

    async def _file(self, repo: Repo, author: Account, path: str, data: bytes) -> NewFile:
        sha256 = await self.hub.blobs.put_bytes(data)
        is_text = _is_text(data)
        await record_upload(
            self.hub.db,
            repo,
            author.id,
            sha256=sha256,
            git_oid=blob_oid(data),
            size_bytes=len(data),
            is_text=is_text,
            now_ms=self.hub.clock(),
        )
        return NewFile(path=path, sha256=sha256, size_bytes=len(data), git_oid=blob_oid(data), is_text=is_text)


def _is_text(data: bytes) -> bool:
    try:
        return "\0" not in data.decode("utf-8")
    except UnicodeDecodeError:
        return False


def model_files(**more: bytes) -> dict[str, bytes]:
    """A small model: card, config, weights, a folder."""
    return {
        ".gitattributes": b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n",
        "README.md": README,
        "config.json": b'{"model_type": "tiny"}',
        "model.safetensors": WEIGHTS,
        "onnx/model.onnx": b"\x00onnx",
        "onnx/deep/notes.txt": b"hello\n",
        **more,
    }
