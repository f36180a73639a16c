"""How ``:name`` SQL becomes psycopg's; the rest of PostgreSQL is in ``tests/contracts``."""

from __future__ import annotations

import pytest

from weighbridge.storage.postgres import translate, translate_schema


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT :a, :a_1 WHERE x=:b", "SELECT %(a)s, %(a_1)s WHERE x=%(b)s"),
        ("SELECT ':a' || ':it''s :b' || :c", "SELECT ':a' || ':it''s :b' || %(c)s"),
        ('SELECT ":a" FROM t', 'SELECT ":a" FROM t'),
        ("SELECT 1 -- :a '\n, :b", "SELECT 1 -- :a '\n, %(b)s"),
        ("SELECT 1 /* :a ' */ , :b", "SELECT 1 /* :a ' */ , %(b)s"),
        ("SELECT a::TEXT, :b", "SELECT a::TEXT, %(b)s"),
        ("SELECT a % 2, 'x%' LIKE :p", "SELECT a %% 2, 'x%%' LIKE %(p)s"),
        ("SELECT %(a)s", "SELECT %%(a)s"),
    ],
)
def test_names_become_parameters(sql: str, expected: str):
    assert translate(sql) == expected


def test_text_of_a_schema_is_ordered_by_bytes():
    sql = "CREATE TABLE t (\n a TEXT PRIMARY KEY, -- TEXT of it\n b TEXT NOT NULL DEFAULT 'TEXT',\n context BIGINT\n)"
    assert translate_schema(sql) == (
        'CREATE TABLE t (\n a TEXT COLLATE "C" PRIMARY KEY, -- TEXT of it\n'
        " b TEXT COLLATE \"C\" NOT NULL DEFAULT 'TEXT',\n context BIGINT\n)"
    )
