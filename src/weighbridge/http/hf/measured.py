"""What the hub itself measured on a released revision: the inspection's facts, as the release carries them.

facts = await measured_facts(hub, commit, files)       # {"dtypes": {"BF16": 134515008}, "model_type": "llama", …}
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from weighbridge.bootstrap import Hub
from weighbridge.errors import EntryNotFound, InvalidInput, VerificationFailed
from weighbridge.evidence.envelope import read_envelope
from weighbridge.evidence.statement import Kind, kind_of
from weighbridge.hub.commit import Commit
from weighbridge.hub.files import File

ATTESTATIONS = ".release/attestations.jsonl"
MAX_ATTESTATIONS_BYTES = 8 << 20


async def measured_facts(hub: Hub, revision: Commit, files: Iterable[File]) -> Mapping[str, Any]:
    """The facts of the inspection in a release commit; empty for an author's commit, which may say what it likes."""
    if revision.kind != "release":
        return {}
    file = next((file for file in files if file.path == ATTESTATIONS), None)
    if file is None or file.size_bytes > MAX_ATTESTATIONS_BYTES:
        return {}
    try:
        return inspection_facts(await hub.blobs.read(file.sha256))
    except EntryNotFound:
        return {}


def inspection_facts(attestations: bytes) -> Mapping[str, Any]:
    """The facts of the first inspection among these envelopes, one a line; empty when there is none."""
    for line in attestations.splitlines():
        try:
            statement = read_envelope(line).statement
            if kind_of(statement) is Kind.INSPECTION:
                return cast("dict[str, Any]", statement["predicate"]["facts"])
        except (InvalidInput, VerificationFailed, KeyError, TypeError):
            continue
    return {}


def safetensors_json(facts: Mapping[str, Any]) -> dict[str, Any] | None:
    """Elements by dtype and in all, as ``safetensors`` of the repo JSON; None when there are no such weights."""
    dtypes = facts.get("dtypes")
    if not isinstance(dtypes, dict) or not dtypes or "safetensors" not in facts.get("formats", ()):
        return None
    counts = cast("dict[str, int]", dtypes)
    return {"parameters": counts, "total": sum(counts.values())}


def config_json(facts: Mapping[str, Any]) -> dict[str, Any] | None:
    """What ``config.json`` was read to say, as ``config`` of the repo JSON; None when nothing was."""
    config: dict[str, Any] = {}
    if facts.get("architecture"):
        config["architectures"] = [facts["architecture"]]
    if facts.get("model_type"):
        config["model_type"] = facts["model_type"]
    return config or None
