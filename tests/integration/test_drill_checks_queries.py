"""The policy's queries on a restored database: right answers pass, wrong ones and refusals say whose fault they are."""

from __future__ import annotations

import time
from collections.abc import Callable

import psycopg
import pytest

from fix_postgres import execute, rows
from holdfast.drill.checks import check_queries
from holdfast.drill.outcome import Outcome
from holdfast.errors import DatabaseUnavailable
from holdfast.policy.drill import Between, DrillQuery, RowsFound
from holdfast.postgres.conninfo import Target

SHOP = """
CREATE TABLE payments (id int PRIMARY KEY, amount numeric(9, 2), paid_at timestamptz, payer text);
INSERT INTO payments SELECT i, i * 1.5, timestamptz '2026-11-01 10:00+00' + i * interval '1 day', 'payer-' || i
  FROM generate_series(1, 10) i;
CREATE FUNCTION spend() RETURNS int LANGUAGE sql AS 'DELETE FROM payments RETURNING 1'
"""
Expected = Between | RowsFound | bool | int | float | str


@pytest.fixture
def shop(make_database: Callable[..., str]) -> str:
    """Ten payments."""
    return make_database(SHOP)


def ask(url: str, sql: str, expect: Expected, *, timeout_s: int = 60) -> Outcome:
    query = DrillQuery(sql=sql, expect=expect, area="payments")
    return check_queries(Target.parse(url), {"paid": query}, timeout_s=timeout_s)


def only(outcome: Outcome) -> tuple[str, str]:
    """(whose fault, what) of the one finding."""
    (finding,) = outcome.findings
    return finding.about, finding.text


@pytest.mark.parametrize(
    ("sql", "expect"),
    [
        ("SELECT count(*) FROM payments", 10),
        ("SELECT count(*) FROM payments;", 10),
        ("SELECT count(*) FROM payments -- all", 10),
        ("SELECT sum(amount) FROM payments", 82.5),
        ("SELECT 10::numeric(9, 2)", 10),
        ("SELECT 0.1::float8", 0.1),
        ("SELECT 0.1::float4", 0.1),
        ("SELECT 12345678901234567890::numeric", 12345678901234567890),
        ("SELECT count(*) = 10 FROM payments", True),
        ("SELECT false", False),
        ("SELECT true", "true"),
        ("SELECT max(payer) FROM payments WHERE payer LIKE 'payer-_%'", "payer-9"),
        ("SELECT max(paid_at) FROM payments", "2026-11-11 10:00:00+00"),
        ("SELECT date 'infinity'", "infinity"),
        ("SELECT ARRAY[1, 2]", "{1,2}"),
        ("SELECT jsonb_build_object('a', 1)", '{"a": 1}'),
        ("SELECT count(*) FROM payments", Between(at_least=10, at_most=10)),
        ("SELECT 0.3::numeric", Between(at_least=0.3)),
        ("SELECT '-infinity'::float8", Between(at_most=0)),
        ("SELECT * FROM payments", RowsFound(rows=10)),
        ("SELECT * FROM payments WHERE amount < 0", RowsFound(rows=0)),
        ("TABLE payments", RowsFound(rows=10)),
        ("SHOW transaction_read_only", "on"),
    ],
)
def test_right_answers_pass(shop: str, sql: str, expect: Expected) -> None:
    found = ask(shop, sql, expect)
    assert found.findings == ()
    assert found.facts == {"queries": 1, "queries_passed": 1, "query paid": "payments: passed"}


@pytest.mark.parametrize(
    ("sql", "expect", "text"),
    [
        ("SELECT count(*) FROM payments", 9, "10 instead of 9"),
        ("SELECT count(*)::text FROM payments", 10, "a text of 2 characters instead of 10"),
        ("SELECT 1", True, "1 instead of true"),
        ("SELECT true", 1, "true instead of 1"),
        ("SELECT 'a'", "b", "a text of 1 characters instead of 'b'"),
        ("SELECT repeat('secret', 20)", "b", "a text of 120 characters instead of 'b'"),
        ("SELECT 10::numeric ^ 100", 1, "a number of"),
        ("SELECT count(*) FROM payments", Between(at_least=11), "10 is less than 11"),
        ("SELECT count(*) FROM payments", Between(at_most=9), "10 is more than 9"),
        ("SELECT 'NaN'::float8", Between(at_least=0), "NaN, which is no number"),
        ("SELECT 'NaN'::float8", 1, "NaN instead of 1"),
        ("SELECT now()::text", Between(at_least=0), "which is no number"),
        ("SELECT NULL::int", 1, "NULL instead of a value"),
        ("SELECT sum(amount) FROM payments WHERE false", Between(at_least=0), "NULL instead of a value"),
        ("SELECT amount FROM payments", 1, "several rows instead of one"),
        ("SELECT amount FROM payments WHERE false", 1, "no row instead of one"),
        ("SELECT 1, 2", 1, "2 columns instead of one value"),
        ("SELECT * FROM payments", RowsFound(rows=0), "more than 0 rows"),
        ("SELECT * FROM payments", RowsFound(rows=11), "10 rows instead of 11"),
        (
            "SELECT payer::int FROM payments",
            1,
            'fails on the restored data: invalid input syntax for type integer: "…"',
        ),
        ("SELECT 1 / (id - id) FROM payments", 1, "fails on the restored data: division by zero"),
    ],
)
def test_wrong_answers_are_the_backups(shop: str, sql: str, expect: Expected, text: str) -> None:
    found = ask(shop, sql, expect)
    about, said = only(found)
    assert about == "backup" and said.startswith("query paid (payments): ") and text in said
    assert "payer-" not in said and "secret" not in said
    assert found.facts == {"queries": 1, "queries_passed": 0, "query paid": "payments: failed"}


@pytest.mark.parametrize(
    "sql",
    ["SELECT count(*) FROM orders", "SELECT sum(total) FROM payments", "SELECT lost()", "SELECT 1 FROM gone.payments"],
)
def test_what_the_database_lacks_may_be_lost(shop: str, sql: str) -> None:
    about, text = only(ask(shop, sql, 1))
    assert about == "backup" and "does not exist: either the restored database lost it, or the policy's" in text


@pytest.mark.parametrize(
    ("sql", "text"),
    [
        ("SELEC 1", 'the policy\'s query is wrong: syntax error at or near "SELEC"'),
        ("SELECT 1; SELECT 2", "cannot insert multiple commands"),
        ("COMMIT; DELETE FROM payments", "cannot insert multiple commands"),
        ("SELECT id FROM payments GROUP BY payer", "must appear in the GROUP BY"),
        ("SET statement_timeout = 0", "the policy's query is wrong"),
        ("DELETE FROM payments", "it tries to write: cannot execute DELETE in a read-only transaction"),
        ("WITH gone AS (DELETE FROM payments RETURNING 1) SELECT count(*) FROM gone", "it tries to write"),
        ("SELECT spend()", "it tries to write"),
        ("SELECT * INTO copied FROM payments", "it tries to write"),
        ("SELECT id FROM payments FOR UPDATE", "it tries to write"),
        ("SET TRANSACTION READ WRITE", "the policy's query is wrong"),
    ],
)
def test_wrong_queries_are_the_drills(shop: str, sql: str, text: str) -> None:
    about, said = only(ask(shop, sql, 1))
    assert about == "drill" and text in said
    assert rows(shop, "SELECT count(*) FROM payments") == [(10,)]


def test_slow_query_is_ended(shop: str) -> None:
    started = time.monotonic()
    about, text = only(ask(shop, "SELECT pg_sleep(60)", 1, timeout_s=1))
    assert about == "drill" and "not done within 1 s" in text
    assert time.monotonic() - started < 20


def test_endless_answers_are_left(shop: str) -> None:
    """Nobody reads two billion rows to learn that there are too many."""
    started = time.monotonic()
    assert "more than 0 rows" in only(ask(shop, "SELECT generate_series(1, 2000000000)", RowsFound(rows=0)))[1]
    assert time.monotonic() - started < 20


def test_all_queries_run_though_one_fails(shop: str) -> None:
    queries = {
        "broken": DrillQuery(sql="SELECT nonsense", expect=1),
        "rows": DrillQuery(sql="SELECT count(*) FROM payments", expect=10, area="payments"),
    }
    found = check_queries(Target.parse(shop), queries)
    assert [finding.text.split(":")[0] for finding in found.findings] == ["query broken"]
    assert found.facts["query rows"] == "payments: passed" and found.facts["query broken"] == "broken: failed"


def test_names_are_looked_up_as_for_the_application(make_database: Callable[..., str]) -> None:
    url = make_database('CREATE SCHEMA app; CREATE TABLE app."User" (id int)')
    name = rows(url, "SELECT current_database()")[0][0]
    execute(url, f"ALTER DATABASE {name} SET search_path = app")
    assert ask(url, 'SELECT count(*) FROM "User"', 0).passed


def test_bytes_that_are_no_text_are_no_crash(shop: str) -> None:
    """A database without an encoding may hold any."""
    execute(shop, "CREATE DATABASE bytes_only ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
    try:
        about, text = only(ask(shop.rpartition("/")[0] + "/bytes_only", r"SELECT E'\xff'", "a"))
    finally:
        execute(shop, "DROP DATABASE bytes_only WITH (FORCE)")
    assert about == "backup" and "invalid byte sequence" in text


def test_server_that_goes_away_is_no_finding(shop: str) -> None:
    name = rows(shop, "SELECT current_database()")[0][0]
    sql = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    with pytest.raises(DatabaseUnavailable):
        ask(shop, sql, 1)


def test_planted_loss_of_one_row_is_found(shop: str) -> None:
    """What the check is for: a row is gone, and the query that knows how many there must be says so."""
    with psycopg.connect(shop, autocommit=True) as session:
        session.execute("DELETE FROM payments WHERE id = 7")
    assert only(ask(shop, "SELECT count(*) FROM payments", 10)) == (
        "backup",
        "query paid (payments): 9 instead of 10",
    )
