"""Schemas are compared by what they define, whatever its spelling, and no row is restored for that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from fix_environment import MakeSite
from fix_postgres import execute
from holdfast.backup import run_backup
from holdfast.environment import Environment
from holdfast.errors import RestoreError
from holdfast.operation.schema import SchemaDifference, compare_with_live
from holdfast.operation.schema.entries import read_objects
from holdfast.operation.schema.model import ObjectName
from holdfast.recovery.cluster import Cluster
from holdfast.values.ids import RestorePointId

_ROLE = "schema_reader"
# Each of these is spelled otherwise once it was dumped and restored, or has a name that needs quotes.
_SCHEMA = """
CREATE SCHEMA "Second";
CREATE TYPE "Role" AS ENUM ('STUDENT', 'FACULTY');
CREATE FUNCTION total(a int, b int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a + b';
CREATE TABLE "User" (
  id serial PRIMARY KEY, email varchar(80) UNIQUE NOT NULL, role "Role" DEFAULT 'STUDENT',
  state varchar(9) CHECK (state IN ('on', 'off')), twice int GENERATED ALWAYS AS (id * 2) STORED, old int);
ALTER TABLE "User" DROP COLUMN old;
CREATE TABLE "User Log" (id int GENERATED ALWAYS AS IDENTITY, "user" int REFERENCES "User" ON DELETE CASCADE);
CREATE TABLE "Second".marks (day date, mark int) PARTITION BY RANGE (day);
CREATE TABLE "Second".marks_26 PARTITION OF "Second".marks FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE INDEX on_mark ON "Second".marks (mark) WHERE mark > 0;
CREATE VIEW active AS SELECT id, email FROM "User" WHERE state IN ('on') OR email LIKE 'a%';
CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM "User";
CREATE FUNCTION touched() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  --
  -- Name: false; Type: TABLE; Schema: public; Owner: -
  --
  RETURN NEW;
END $$;
CREATE TRIGGER touch BEFORE UPDATE ON "User" FOR EACH ROW EXECUTE FUNCTION touched();
ALTER TABLE "User" ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON "User" TO schema_reader USING (id > 0);
INSERT INTO "User" (email, state) VALUES ('a@example.com', 'on');
"""
_MIGRATION = """
ALTER TYPE "Role" ADD VALUE 'GUEST';
ALTER TABLE "User" ADD COLUMN phone text;
DROP VIEW active;
ALTER TABLE "User" ALTER COLUMN email TYPE text;
ALTER TABLE "User" DROP CONSTRAINT "User_state_check";
ALTER TABLE "User Log" DROP CONSTRAINT "User Log_user_fkey";
CREATE TABLE "Invoice" (id int PRIMARY KEY);
DROP INDEX "Second".on_mark;
CREATE OR REPLACE FUNCTION total(a int, b int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT b + a';
DROP MATERIALIZED VIEW counted;
DROP POLICY own ON "User";
"""
_CHANGES_NO_DEFINITION = """
INSERT INTO "User" (email, state) VALUES ('b@example.com', 'off');
COMMENT ON TABLE "User" IS 'everybody';
GRANT SELECT ON "User" TO PUBLIC;
"""

Taken = tuple[Environment, RestorePointId, str]


@pytest.fixture
def taken(
    make_database: Callable[..., str], make_site: MakeSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Cluster], Taken]:
    """A database of many kinds of objects, with a restore point of it."""
    monkeypatch.setenv("HOLDFAST_RECOVERY", str(tmp_path / "recovery"))

    def take(cluster: Cluster) -> Taken:
        _ensure_role(cluster)
        url = make_database(_SCHEMA, cluster=cluster)
        environment = make_site(url).environment()
        return environment, RestorePointId.parse(run_backup(environment, "snapshot").restore_point), url

    return take


def test_an_unchanged_schema_is_equal_and_each_change_is_named(
    taken: Callable[[Cluster], Taken], pg18: Cluster, tmp_path: Path
) -> None:
    """As people call it, tables column by column; rows, comments and rights are none."""
    environment, point, url = taken(pg18)
    execute(url, _CHANGES_NO_DEFINITION)
    assert compare_with_live(environment, point) == SchemaDifference()
    for statement in filter(None, _MIGRATION.split(";\n")):  # a new value of an enum cannot stand among others
        execute(url, statement)
    assert compare_with_live(environment, point).lines() == (
        'added: constraint "Invoice_pkey" on public."Invoice"',
        'added: table public."Invoice"',
        'removed: foreign key "User Log_user_fkey" on public."User Log"',
        'removed: index "Second".marks_26_mark_idx',
        'removed: index "Second".on_mark',
        "removed: materialized view public.counted",
        'removed: place as partition of index "Second".marks_26_mark_idx',
        'removed: policy own on public."User"',
        "removed: view public.active",
        "changed: function public.total(integer, integer)",
        'changed: table public."User": check "User_state_check" removed (CHECK (((state)::text = ANY '
        "(ARRAY[('on'::character varying)::text, ('off'::character varying)::text])))); "
        "column email was character varying(80) NOT NULL, is text NOT NULL; column phone added (text)",
        'changed: type public."Role"',
    )
    assert not list((tmp_path / "recovery").iterdir())


def test_schemas_of_an_older_server_are_compared_alike(taken: Callable[[Cluster], Taken], pg15: Cluster) -> None:
    """A database of 15 equals its own dump, and a dropped column is told."""
    environment, point, url = taken(pg15)
    execute(url, 'ALTER TABLE "User" DROP COLUMN twice')
    assert compare_with_live(environment, point).lines() == (
        'changed: table public."User": column twice removed (integer GENERATED ALWAYS AS (id * 2) STORED)',
    )


def test_a_schema_that_cannot_be_restored_here_is_not_called_equal(
    taken: Callable[[Cluster], Taken], pg18: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A live schema that refers to what this host's servers lack ends the comparison."""
    environment, point, url = taken(pg18)
    execute(
        url,
        "CREATE FUNCTION later() RETURNS int LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler';"
        "UPDATE pg_proc SET probin = '/nowhere/lacking' WHERE proname = 'later'",
    )
    with pytest.raises(RestoreError, match="live database: its definitions cannot be compared here"):
        compare_with_live(environment, point)


def test_objects_of_one_name_stand_together_and_keys_drawn_by_lot_are_no_difference() -> None:
    """What is between two headers belongs to the first, but not where the next objects are put."""
    text = """\\restrict {key}
--
-- Name: User; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public."User" (
    id integer
);


SET default_tablespace = '';

--
-- Name: User User_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public."User" ADD CONSTRAINT "User_pkey" PRIMARY KEY (id);

\\unrestrict {key}
"""
    found = read_objects(text.replace("{key}", "abc"))
    assert found == read_objects(text.replace("{key}", "xyz"))
    assert found == {
        ObjectName("table", 'public."User"'): 'CREATE TABLE public."User" (\n    id integer\n);\n',
        ObjectName("constraint", '"User_pkey" on public."User"'): (
            'ALTER TABLE ONLY public."User" ADD CONSTRAINT "User_pkey" PRIMARY KEY (id);\n'
        ),
    }


def _ensure_role(cluster: Cluster) -> None:
    execute(
        cluster.url(),
        f"DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{_ROLE}') THEN "
        f"CREATE ROLE {_ROLE} NOLOGIN; END IF; END $$",
    )
