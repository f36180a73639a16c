"""Every query of every package is understood by both databases: names of tables and columns, syntax, types."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

import pytest

import weighbridge
from weighbridge.storage.database import Database, load_queries

ROOT = Path(str(resources.files(weighbridge)))
PACKAGES = sorted(".".join(("weighbridge", *path.parent.relative_to(ROOT).parts)) for path in ROOT.rglob("queries.sql"))
CASES = [(package, name) for package in PACKAGES for name in load_queries(package)]


def test_there_are_queries():
    assert "weighbridge.tlog" in PACKAGES
    assert len(CASES) > len(PACKAGES)


@pytest.mark.parametrize("package", PACKAGES)
def test_each_query_is_named_once(package: str):
    text = resources.files(package).joinpath("queries.sql").read_text("utf-8")
    names = re.findall(r"^-- name: (.*)$", text, re.MULTILINE)
    assert len(names) == len(set(names)) == len(load_queries(package))
    assert all(re.fullmatch(r"[a-z0-9_]+", name) for name in names)


async def test_every_query_is_understood(db: Database):
    """EXPLAIN parses, finds every name and checks every type; with NULL for each parameter nothing is run."""
    problems: list[str] = []
    for package, name in CASES:
        sql = load_queries(package)[name]
        names = set(re.findall(r":([A-Za-z_][A-Za-z0-9_]*)", re.sub(r"--[^\n]*|'[^']*'", "", sql)))
        try:
            await db.all(f"EXPLAIN {sql}", **dict.fromkeys(names))
        except Exception as error:  # noqa: BLE001 (all of them are told at once)
            problems.append(f"{package} {name}: {error}")
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize(("package", "name"), CASES)
def test_no_query_uses_what_only_one_database_has(package: str, name: str):
    sql = re.sub(r"--[^\n]*|'[^']*'", "", load_queries(package)[name])
    for pattern in (r"::", r"\?", r"(?i)\bIFNULL\b", r"(?i)\bjson\w*\s*\(", r"(?i)\bINSERT\s+OR\b", r"(?i)\bILIKE\b"):
        assert not re.search(pattern, sql), f"{name} uses {pattern}"
