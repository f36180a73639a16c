"""Facts and policies for these tests."""

from __future__ import annotations

import copy
from typing import Any

from weighbridge.policy import Policy, load_policy

FACTS: dict[str, Any] = {
    "release": {"digest": "00", "files": 3, "size_bytes": 9, "author": "acct:author", "type": "model"},
    "transition": {"weights": {"from": "none", "to": "public"}, "inference": {"from": "none", "to": "none"}},
    "inspection": {"result": "PASSED", "block": 0, "warn": 0, "note": 0, "formats": ["safetensors"]},
    "documents": {"sums": True, "bom": True, "card": {"present": True, "license": "mit"}},
    "approvals": {"approved": 0, "rejected": 0, "by": [], "includes_author": False},
}

RULE = {"id": "rule", "title": "Title", "why": "Why", "remedy": "Remedy", "require": "true"}


def policy_text(*rules: dict[str, Any], **fields: Any) -> str:
    """A policy of these rules, each completed from RULE. JSON is YAML."""
    import json

    whole = {"name": "test", "title": "Test", "why": "Why", "rules": [{**RULE, **rule} for rule in rules], **fields}
    return json.dumps(whole)


def policy_of(*conditions: str) -> Policy:
    """A policy with one blocking rule for each condition."""
    return load_policy(policy_text(*({"id": f"r{n}", "require": text} for n, text in enumerate(conditions))))


def facts_with(changes: dict[str, Any], base: dict[str, Any] = FACTS) -> dict[str, Any]:
    """The base with values replaced at dotted paths; None takes the fact away."""
    facts = copy.deepcopy(base)
    for path, value in changes.items():
        *folders, name = path.split(".")
        place = facts
        for folder in folders:
            place = place[folder]
        if value is None:
            place.pop(name, None)
        else:
            place[name] = value
    return facts
