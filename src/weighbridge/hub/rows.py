"""Statements over many values: portable SQL has no arrays, so one ``:name`` is spread over numbered ones.

rows = await all_in(db, "SELECT … WHERE sha256 IN (:sha256)", "sha256", digests, repo_id=repo.id)
await insert_all(tx, "INSERT INTO t (a, b) VALUES (:a, :b)", [{"a": 1, "b": 2}, …])
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from weighbridge.storage.database import Row, Session

AT_ONCE = 256
"""Rows of one statement: 256 x 9 parameters is well below the bounds of SQLite (32,766) and PostgreSQL (65,535)."""


async def all_in(session: Session, sql: str, name: str, values: Sequence[object], **params: object) -> list[Row]:
    """The rows of ``sql`` in which ``(:name)`` stands for all ``values``; none when there are no values."""
    rows: list[Row] = []
    for start in range(0, len(values), AT_ONCE):
        part = values[start : start + AT_ONCE]
        width = AT_ONCE if len(values) > AT_ONCE else 1 << (len(part) - 1).bit_length()
        filled = [*part, *[part[-1]] * (width - len(part))]  # few widths, so that few statements are prepared
        numbered = {f"{name}_{index}": value for index, value in enumerate(filled)}
        rows += await session.all(_spread_list(sql, name, width), **numbered, **params)
    return rows


async def insert_all(session: Session, sql: str, rows: Sequence[Row]) -> None:
    """Inserts every row, many to a statement. ``sql`` is an INSERT of one row whose VALUES come last."""
    start = 0
    while start < len(rows):
        width = AT_ONCE if len(rows) - start >= AT_ONCE else 1
        part = rows[start : start + width]
        params = {f"{key}_{index}": value for index, row in enumerate(part) for key, value in row.items()}
        await session.run(_spread_values(sql, width), **params)
        start += width


@lru_cache(maxsize=64)
def _spread_list(sql: str, name: str, width: int) -> str:
    return sql.replace(f"(:{name})", "(" + ", ".join(f":{name}_{index}" for index in range(width)) + ")")


@lru_cache(maxsize=64)
def _spread_values(sql: str, width: int) -> str:
    head, _, values = sql.rpartition("VALUES ")
    return f"{head}VALUES " + ", ".join(re.sub(r":(\w+)", rf":\1_{index}", values) for index in range(width))
