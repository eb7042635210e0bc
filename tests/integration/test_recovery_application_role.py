"""The role that the application's commands get: it owns all that was restored, and is otherwise nobody."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest

from fix_postgres import execute, rows
from fix_recovery import NAME, recovery_root_for_tests
from holdfast.recovery import Recovery, opened_recovery, prepare_recovery

_SCHEMA = """
CREATE EXTENSION pg_trgm;
CREATE FOREIGN DATA WRAPPER plain;
CREATE SCHEMA billing;
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE DOMAIN cents AS int CHECK (value >= 0);
CREATE TABLE orders (id serial PRIMARY KEY, total cents, mood mood) PARTITION BY RANGE (id);
CREATE TABLE orders_1 PARTITION OF orders FOR VALUES FROM (1) TO (1000);
INSERT INTO orders (total) VALUES (5), (7);
CREATE TABLE billing.payments (id int GENERATED ALWAYS AS IDENTITY, note text);
CREATE VIEW billing.totals AS SELECT sum(total) FROM orders;
CREATE MATERIALIZED VIEW billing.summary AS SELECT sum(total) FROM orders;
CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql AS 'SELECT 2 * $1';
CREATE FUNCTION forbid() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no changes'; END $$;
CREATE SERVER other FOREIGN DATA WRAPPER plain;
CREATE PUBLICATION everything FOR ALL TABLES;
CREATE TABLE secrets (id int);
ALTER TABLE secrets ENABLE ROW LEVEL SECURITY; ALTER TABLE secrets FORCE ROW LEVEL SECURITY;
INSERT INTO secrets VALUES (1), (2); CREATE POLICY mine ON secrets TO shop_app USING (id = 1);
SELECT lo_create(4711);
"""


@pytest.fixture(scope="module", params=[18, 15])
def recovery(request: pytest.FixtureRequest) -> Iterator[Recovery]:
    """A recovery environment whose database was restored and handed over, twice, against its own will."""
    with recovery_root_for_tests() as root:
        prepare_recovery(root, NAME, source_major=request.param, database="shop", now=datetime.now(UTC))
        with opened_recovery(root, NAME) as opened:
            opened.ensure_roles(["shop_app"])
            execute(opened.url.replace("/shop?", "/template1?"), "CREATE DATABASE shop")
            execute(opened.url, _SCHEMA)
            execute(opened.url, "CREATE EVENT TRIGGER frozen ON ddl_command_start EXECUTE FUNCTION forbid()")
            opened.hand_over()
            opened.hand_over()
            execute(opened.url, "SET session_replication_role = replica; DROP EVENT TRIGGER frozen")
        with opened_recovery(root, NAME) as again:
            yield again


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO orders (total) VALUES (9)",
        "ALTER TABLE orders ADD COLUMN note text",
        "CREATE TABLE orders_2 PARTITION OF orders FOR VALUES FROM (1000) TO (2000)",
        "REFRESH MATERIALIZED VIEW billing.summary",
        "ALTER TYPE mood ADD VALUE 'fair'",
        "CREATE OR REPLACE FUNCTION twice(int) RETURNS int LANGUAGE sql AS 'SELECT $1 + $1'",
        "CREATE TABLE migrations (id int)",
        "CREATE SCHEMA next",
        "CREATE EXTENSION IF NOT EXISTS pg_trgm",
        "CREATE EXTENSION pgcrypto",
        "TRUNCATE billing.payments RESTART IDENTITY",
        "SELECT lo_unlink(4711)",
        "DROP SCHEMA billing CASCADE",
    ],
)
def test_application_may_read_write_and_migrate(recovery: Recovery, statement: str) -> None:
    """As the owner of everything, old and new."""
    with psycopg.connect(recovery.application_url) as session:
        session.execute(statement.encode())
        session.rollback()


@pytest.mark.parametrize(
    "statement",
    [
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "COPY (SELECT 1) TO '/tmp/file'",
        "SELECT pg_read_file('postgresql.conf')",
        "CREATE ROLE somebody",
        "SET ROLE holdfast_restore",
        "ALTER ROLE holdfast_application SUPERUSER",
        "ALTER SYSTEM SET fsync = on",
    ],
)
def test_application_has_no_way_out_of_its_database(recovery: Recovery, statement: str) -> None:
    """Neither programs nor files of the server, and no other role's rights."""
    with (
        psycopg.connect(recovery.application_url, autocommit=True) as session,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        session.execute(statement.encode())


def test_policies_for_the_roles_of_the_dump_hold_for_it(recovery: Recovery) -> None:
    """As they do for the application that is a member of such a role."""
    assert rows(recovery.application_url, "SELECT id FROM secrets") == [(1,)]


def test_restored_code_that_the_application_sets_off_has_its_rights_alone(recovery: Recovery) -> None:
    """A function that runs with its owner's rights belongs to the application now, and not to a superuser."""
    owners = rows(
        recovery.url,
        "SELECT DISTINCT proowner::regrole::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
    )
    assert owners == [("holdfast_application",)]


def test_a_hundred_tables_are_handed_over_at_once(recovery: Recovery) -> None:
    """Each with indexes and a sequence."""
    tables = "".join(f"CREATE TABLE billing.t{n} (id serial PRIMARY KEY, a text, b text);" for n in range(100))
    indexes = "".join(f"CREATE INDEX ON billing.t{n} (a); CREATE INDEX ON billing.t{n} (b);" for n in range(100))
    execute(recovery.url, tables + indexes)
    begun = time.monotonic()
    recovery.hand_over()
    assert time.monotonic() - begun < 0.6
    assert rows(recovery.application_url, "SELECT count(*) FROM billing.t7") == [(0,)]
