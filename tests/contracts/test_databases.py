"""Both databases do the same with the same SQL: SQLite and a real PostgreSQL."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from weighbridge.errors import Conflict, InvalidInput, StorageError
from weighbridge.storage.connect import open_database
from weighbridge.storage.database import ChangedMeanwhile, Database, Session, in_transaction, load_migrations

INSERT = "INSERT INTO hub_state (key, value) VALUES (:key, :value)"
READ = "SELECT value FROM hub_state WHERE key = :key"
ACCOUNT = """INSERT INTO account (id, uri, kind, name, name_key, full_name, policy, created_ms, disabled_ms)
VALUES (:id, :id, 'user', :id, :id, '', 'open', :now, NULL)"""
TOKEN = """INSERT INTO token (id, account_id, sha256, kind, name, scopes, created_ms)
VALUES (:id, :account, :id, 'token', '', '', 0)"""


async def counter(db: Session) -> int:
    row = await db.one(READ, key="counter")
    assert row is not None
    return int(row["value"])


async def test_migrations_run_once(empty_db: Database):
    numbers = [number for number, _ in load_migrations()]
    assert await empty_db.migrate() == numbers
    assert await empty_db.migrate() == []
    assert await empty_db.one("SELECT size, published_size, checkpoint FROM log_head WHERE id = 1") == {
        "size": 0,
        "published_size": 0,
        "checkpoint": "",
    }


async def test_migrating_at_once_from_two_places_is_done_once(database_url: str):
    first, second = await open_database(database_url), await open_database(database_url)
    try:
        applied = await asyncio.gather(first.migrate(), second.migrate())
        assert sorted(applied[0] + applied[1]) == [number for number, _ in load_migrations()]
    finally:
        await first.close()
        await second.close()


async def test_rows_are_dicts(db: Database):
    assert await db.run(INSERT, key="a", value="1") == 1
    assert await db.one(READ, key="a") == {"value": "1"}
    assert await db.one(READ, key="absent") is None
    assert await db.all("SELECT key, value FROM hub_state ORDER BY key") == [{"key": "a", "value": "1"}]
    assert await db.all(READ, key="absent") == []


async def test_changed_rows_are_counted(db: Database):
    for key in "abc":
        await db.run(INSERT, key=key, value="1")
    assert await db.run("UPDATE hub_state SET value = '2' WHERE key <> :key", key="a") == 2
    assert await db.run("DELETE FROM hub_state WHERE key = 'none'") == 0


async def test_a_changing_statement_can_answer_rows(db: Database):
    text = "-- described first\nINSERT INTO hub_state (key, value) VALUES (:key, :value) RETURNING key"
    assert await db.one(text, key="a", value="1") == {"key": "a"}
    assert await db.all(text, key="b", value="1") == [{"key": "b"}]
    assert await db.one(READ, key="b") == {"value": "1"}


async def test_a_transaction_commits_whole_or_not_at_all(db: Database):
    async with db.transaction() as tx:
        await tx.run(INSERT, key="a", value="1")
        assert await tx.one(READ, key="a") == {"value": "1"}
        assert await db.one(READ, key="a") is None  # nobody else sees it yet
    assert await db.one(READ, key="a") == {"value": "1"}
    with pytest.raises(ZeroDivisionError):
        async with db.transaction() as tx:
            await tx.run(INSERT, key="b", value="1")
            raise ZeroDivisionError
    assert await db.one(READ, key="b") is None


async def test_a_cancelled_transaction_leaves_nothing(db: Database):
    entered = asyncio.Event()

    async def work() -> None:
        async with db.transaction() as tx:
            await tx.run(INSERT, key="a", value="1")
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await db.one(READ, key="a") is None
    await db.run(INSERT, key="a", value="2")


async def test_cancelling_at_any_moment_leaves_a_usable_database(db: Database):
    for steps in range(30):
        task = asyncio.create_task(db.run(INSERT, key=f"{steps}", value="1"))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    await db.run(INSERT, key="last", value="1")
    assert await db.one(READ, key="last") == {"value": "1"}


async def test_a_unique_key_is_a_conflict(db: Database):
    await db.run(INSERT, key="a", value="1")
    with pytest.raises(Conflict):
        await db.run(INSERT, key="a", value="2")
    assert await db.one(READ, key="a") == {"value": "1"}


async def test_a_foreign_key_is_a_conflict(db: Database):
    with pytest.raises(Conflict):
        await db.run(TOKEN, id="t", account="nobody")
    await db.run(ACCOUNT, id="a", now=0)
    await db.run(TOKEN, id="t", account="a")


async def test_a_missing_value_is_an_error(db: Database):
    with pytest.raises(StorageError):
        await db.run(INSERT, key="a", value=None)


@pytest.mark.parametrize("sql", ["SELEC 1", "SELECT nothing FROM hub_state", "SELECT value FROM no_table"])
async def test_wrong_sql_is_an_error(db: Database, sql: str):
    for call in (db.one(sql), db.all(sql), db.run(sql)):
        with pytest.raises(StorageError):
            await call


async def test_a_missing_parameter_is_an_error(db: Database):
    with pytest.raises((StorageError, InvalidInput)):
        await db.one(READ)


async def test_a_failed_transaction_is_over(db: Database):
    """PostgreSQL goes on with nothing after an error; SQLite would, so it is made to agree."""
    await db.run(INSERT, key="a", value="1")
    with pytest.raises(StorageError, match="over"):
        async with db.transaction() as tx:
            await tx.run(INSERT, key="b", value="1")
            with suppress(Conflict):
                await tx.run(INSERT, key="a", value="2")
            await tx.one(READ, key="a")
    assert await db.one(READ, key="b") is None


async def test_an_error_that_was_swallowed_is_not_committed(db: Database):
    await db.run(INSERT, key="a", value="1")
    with pytest.raises(StorageError, match="over"):
        async with db.transaction() as tx:
            await tx.run(INSERT, key="b", value="1")
            with suppress(Conflict):
                await tx.run(INSERT, key="a", value="2")
    assert await db.one(READ, key="b") is None


async def test_a_second_transaction_of_one_task_is_refused(db: Database):
    """It would wait for the first for ever."""
    async with db.transaction() as tx:
        await tx.run(INSERT, key="a", value="1")
        with pytest.raises(StorageError, match="session"):
            await db.run(INSERT, key="b", value="1")
        with pytest.raises(StorageError, match="session"):
            async with db.transaction():
                pass
        assert await db.one(READ, key="b") is None
    async with db.transaction() as tx:
        await tx.run(INSERT, key="b", value="1")
    assert await db.one("SELECT COUNT(*) AS many FROM hub_state") == {"many": 2}


async def test_two_transactions_do_not_overwrite_each_other(db: Database):
    """Write skew and lost updates: with ``in_transaction`` every increment counts."""
    await db.run(INSERT, key="counter", value="0")

    async def add(tx: Session) -> None:
        value = await counter(tx)
        await asyncio.sleep(0.001)
        await tx.run("UPDATE hub_state SET value = :value WHERE key = 'counter'", value=str(value + 1))

    await asyncio.gather(*(in_transaction(db, add, attempts=50) for _ in range(8)))
    assert await counter(db) == 8


async def test_who_does_not_try_again_is_told(db: Database):
    """Of two that read and then write the same, either both waited in line or one hears of it; never a lost update."""
    await db.run(INSERT, key="counter", value="0")
    both_read = asyncio.Barrier(2)

    async def add() -> bool:
        async with db.transaction() as tx:
            value = await counter(tx)
            if db.dialect == "postgresql":
                await both_read.wait()
            await tx.run("UPDATE hub_state SET value = :value WHERE key = 'counter'", value=str(value + 1))
        return True

    outcomes = await asyncio.gather(add(), add(), return_exceptions=True)
    assert [one for one in outcomes if one is not True and not isinstance(one, ChangedMeanwhile)] == []
    assert await counter(db) == outcomes.count(True)
    assert (db.dialect == "sqlite") == (outcomes.count(True) == 2)


async def test_text_is_kept_to_the_byte(db: Database):
    for number, text in enumerate(["", "é", "💚", "a'b\"c\\d%s %(x)s :name\n\t", "\x01", "x" * 100_000]):
        await db.run(INSERT, key=str(number), value=text)
        assert await db.one(READ, key=str(number)) == {"value": text}


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "é\0"])
async def test_text_that_only_one_would_keep_is_refused(db: Database, text: str):
    with pytest.raises(InvalidInput):
        await db.run(INSERT, key="a", value=text)
    with pytest.raises(InvalidInput):
        await db.one(READ, key=text)


async def test_text_is_ordered_by_its_bytes(db: Database):
    keys = ["Z", "a", "B", "_", "é", "aa", "a-b", "a.b", "a/b", "ab", "中", "\U0001f49a", "\uffee"]
    for key in keys:
        await db.run(INSERT, key=key, value="")
    rows = await db.all("SELECT key FROM hub_state ORDER BY key")
    assert [row["key"] for row in rows] == sorted(keys, key=lambda key: key.encode())
    rows = await db.all("SELECT key FROM hub_state WHERE key > :after ORDER BY key LIMIT 2", after="Z")
    assert [row["key"] for row in rows] == ["_", "a"]
    assert await db.one("SELECT MAX(key) AS last FROM hub_state") == {"last": "\U0001f49a"}


async def test_integers_have_64_bits(db: Database):
    for number, value in enumerate([0, -1, 2**31, 2**53 + 1, 2**63 - 1, -(2**63)]):
        await db.run(ACCOUNT, id=str(number), now=value)
        assert await db.one("SELECT created_ms FROM account WHERE id = :id", id=str(number)) == {"created_ms": value}
    for value in (2**63, -(2**63) - 1):
        with pytest.raises(InvalidInput):
            await db.run(ACCOUNT, id="big", now=value)


async def test_sums_counts_and_conditions_are_integers(db: Database):
    for number in range(3):
        await db.run(ACCOUNT, id=str(number), now=2**40)
    row = await db.one(
        """SELECT SUM(created_ms) AS total, COUNT(*) AS many, MAX(created_ms) = :now AS same, 1 = 2 AS other,
        EXISTS (SELECT 1 FROM token) AS some, COALESCE(SUM(disabled_ms), 0) AS none FROM account""",
        now=2**40,
    )
    expected = {"total": 3 * 2**40, "many": 3, "same": 1, "other": 0, "some": 0, "none": 0}
    assert row == expected
    assert all(type(value) is int for value in (row or {}).values())


async def test_booleans_are_kept_as_numbers(db: Database):
    await db.run(ACCOUNT, id="a", now=True)
    assert await db.one("SELECT created_ms FROM account WHERE created_ms = :yes", yes=True) == {"created_ms": 1}
    assert await db.one("SELECT created_ms FROM account WHERE created_ms = :no", no=False) is None


async def test_null_parameters_need_no_type(db: Database):
    await db.run(ACCOUNT, id="a", now=5)
    text = """SELECT id FROM account WHERE (:id IS NULL OR id = :id) AND (:now IS NULL OR created_ms = :now)
    AND disabled_ms IS NULL"""
    for params in ({"id": None, "now": None}, {"id": "a", "now": None}, {"id": None, "now": 5}, {"id": "a", "now": 5}):
        assert await db.all(text, **params) == [{"id": "a"}]
    assert await db.all(text, id="a", now=6) == []
    assert await db.one("SELECT COALESCE(:a, 'x') AS a, :b AS b", a=None, b="y") == {"a": "x", "b": "y"}


async def test_percent_colon_and_comments_are_only_text(db: Database):
    await db.run("INSERT INTO hub_state (key, value) VALUES ('a:key', '100%:value') -- :not_a_parameter %s '")
    row = await db.one(
        "SELECT value /* :nor :this % ' */ FROM hub_state WHERE key LIKE '%:k%' AND value LIKE :p", p="1%"
    )
    assert row == {"value": "100%:value"}


async def test_quotes_do_not_escape(db: Database):
    nasty = "'; DROP TABLE hub_state; --"
    await db.run(INSERT, key=nasty, value="\\'; DROP TABLE hub_state; --")
    assert await db.one(READ, key=nasty) == {"value": "\\'; DROP TABLE hub_state; --"}


async def test_many_readers_and_writers(db: Database):
    async def one(number: int) -> None:
        await db.run(INSERT, key=f"{number}", value="x")
        assert await db.one(READ, key=f"{number}") == {"value": "x"}

    await asyncio.gather(*(one(number) for number in range(60)))
    assert await db.one("SELECT COUNT(*) AS many FROM hub_state") == {"many": 60}
