"""The compliance export: exact rows of the dump's snapshot as CSV, from every kind of table, or a clear refusal."""

from __future__ import annotations

import csv
import io
import json
import threading
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from audit_trail import told
from fix_environment import MakeSite, Site
from fix_postgres import execute
from holdfast.recovery.cluster import Cluster

SQL = """
CREATE SCHEMA "Odd Schema";
CREATE TABLE payments (id bigint PRIMARY KEY, cents int, note text, paid_at timestamptz, rate double precision,
                       gross int GENERATED ALWAYS AS (cents * 2) STORED, raw bytea);
INSERT INTO payments (id, cents, note, paid_at, rate, raw) SELECT n, n,
       CASE n % 4 WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN E'a,"b"\\nc' ELSE 'ä' END,
       '2026-01-01 00:00+02', 0.1::float8 + 0.2::float8, '\\x00ff' FROM generate_series(1, 5000) n;
CREATE TABLE "Odd Schema"."User Profile/é" ("Full Name" text);
INSERT INTO "Odd Schema"."User Profile/é" VALUES ('Zoë'), ('x');
CREATE TABLE events (at date, what text) PARTITION BY RANGE (at);
CREATE TABLE events_25 PARTITION OF events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE events_26 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01') PARTITION BY LIST (what);
CREATE TABLE events_26a PARTITION OF events_26 FOR VALUES IN ('a');
INSERT INTO events VALUES ('2025-05-05', 'z'), ('2026-05-05', 'a'), ('2026-05-06', 'a');
CREATE TABLE "dotted.name" (x int);
CREATE TABLE empty (x int, y int);
CREATE TABLE parent (x int); CREATE TABLE child (z int) INHERITS (parent);
INSERT INTO parent VALUES (1); INSERT INTO child VALUES (2, 3);
CREATE VIEW looks AS SELECT 1;
"""
TABLES = ["public.payments", '"Odd Schema"."User Profile/é"', "events", 'public."dotted.name"', "empty", "parent"]


def _exporting(site: Site, tables: list[str], keep: str = "10y", tiers: str = "[nightly]") -> None:
    section = f"    compliance_export: {{tables: {json.dumps(tables)}, keep: {keep}, tiers: {tiers}}}\n    tiers:\n"
    site.edit_policy("    tiers:\n", section)


def _rows(site: Site, id: str, table: str) -> list[list[str]]:
    text = site.run("export", "fetch", str(site.policy_file), "production", id, table).stdout.decode()
    return list(csv.reader(io.StringIO(text, newline="")))


@pytest.mark.parametrize("server", ["pg18", "pg15"])
def test_every_kind_of_table_is_exported_exactly(
    server: str, request: pytest.FixtureRequest, make_database: Callable[..., str], make_site: MakeSite
) -> None:
    """Generated columns, NULL beside empty text, odd names, partitions of all levels, floats in full, times in UTC."""
    cluster: Cluster = request.getfixturevalue(server)
    url = make_database(SQL, cluster=cluster)
    execute(url, f"ALTER DATABASE {url.rpartition('/')[2].partition('?')[0]} SET extra_float_digits = 0")
    site = make_site(url)
    _exporting(site, TABLES)
    id = site.backup()
    (export,) = site.json("export", "list", str(site.policy_file), "production")["exports"]
    assert (export["id"], export["faults"]) == (id, [])
    assert {table["name"]: table["rows"] for table in export["tables"]} == {
        "public.payments": 5000,
        "Odd Schema.User Profile/é": 2,
        "public.events": 3,
        "public.dotted.name": 0,
        "public.empty": 0,
        "public.parent": 1,
    }
    header, *rows = _rows(site, id, "payments")
    assert header == ["id", "cents", "note", "paid_at", "rate", "gross", "raw"]
    assert len(rows) == 5000
    assert rows[1] == ["2", "2", 'a,"b"\nc', "2025-12-31 22:00:00+00", "0.30000000000000004", "4", "\\x00ff"]
    raw = site.run("export", "fetch", str(site.policy_file), "production", id, "payments").stdout
    assert b'\n1,1,"",' in raw
    assert b"\n4,4,,2025" in raw
    assert _rows(site, id, '"Odd Schema"."User Profile/é"') == [["Full Name"], ["Zoë"], ["x"]]
    assert len(_rows(site, id, "events")) == 4
    assert _rows(site, id, "empty") == [["x", "y"]]
    assert _rows(site, id, "parent") == [["x"], ["1"]]
    exported = told(site.environment(), "exported")
    assert [(each.subject, each.details["table"]) for each in exported][:2] == [(id, "payments")] * 2
    assert len(exported) == 6
    assert site.json("verify", str(site.policy_file), "production", id)["ok"]


def test_only_the_tiers_of_the_policy_export(make_database: Callable[..., str], make_site: MakeSite) -> None:
    """The monthly archive exports by default; a nightly then does not."""
    site = make_site(make_database(SQL))
    _exporting(site, ["payments"], tiers="[monthly]")
    site.backup("nightly")
    assert site.json("export", "list", str(site.policy_file), "production")["exports"] == []
    monthly = site.backup("monthly")
    (export,) = site.json("export", "list", str(site.policy_file), "production")["exports"]
    assert (export["id"], export["tier"]) == (monthly, "monthly")


def test_names_are_listed_without_their_effects(make_database: Callable[..., str], make_site: MakeSite) -> None:
    """A table's name cannot break its line, nor tell the terminal anything; JSON has it as it is."""
    name = "odd\n\x1b[2Jname"
    site = make_site(make_database(f'CREATE TABLE "{name}" (x int)'))
    _exporting(site, [f'"{name}"'])
    site.backup()
    shown = site.run("export", "list", str(site.policy_file), "production").stdout.decode()
    assert shown.count("\n") == 1
    assert "public.odd\\n\\x1b[2Jname (0 rows)" in shown
    (export,) = site.json("export", "list", str(site.policy_file), "production")["exports"]
    assert export["tables"][0]["name"] == f"public.{name}"


@pytest.mark.parametrize(
    ("table", "status", "said"),
    [
        ("public.paymentz", 2, "compliance_export.tables: table public.paymentz"),
        ("looks", 2, "it is a view"),
        ("PAYMENTS", 0, ""),
    ],
)
def test_what_cannot_be_exported_is_named_before_the_dump(
    table: str, status: int, said: str, make_database: Callable[..., str], make_site: MakeSite
) -> None:
    """A missing table or a view fails at once, with nothing stored; case is as in SQL."""
    site = make_site(make_database(SQL))
    _exporting(site, [table])
    done = site.run("backup", str(site.policy_file), "production", "nightly", expect=status)
    assert said in done.stderr.decode()
    assert status == 0 or site.stored_files() == []


def test_same_name_in_two_schemas_is_refused(make_database: Callable[..., str], make_site: MakeSite) -> None:
    """A table that could be either is not guessed."""
    site = make_site(make_database("CREATE SCHEMA b; CREATE TABLE t (x int); CREATE TABLE b.t (x int)"))
    _exporting(site, ["t"])
    done = site.run("backup", str(site.policy_file), "production", "nightly", expect=2)
    assert b"several fit: b.t, public.t" in done.stderr


def test_row_security_never_filters_an_export(pg18: Cluster, make_site: MakeSite) -> None:
    """A role from which a policy would hide rows is refused; the owner, whom it does not bind, exports all."""
    url = pg18.create_database("row_secured")
    execute(url, "CREATE TABLE t AS SELECT n FROM generate_series(1, 10) n; ALTER TABLE t ENABLE ROW LEVEL SECURITY")
    execute(url, "DROP ROLE IF EXISTS half; CREATE ROLE half LOGIN PASSWORD 'half-secret'; GRANT SELECT ON t TO half")
    execute(url, "CREATE POLICY p ON t USING (n < 5)")
    site = make_site(pg18.url("row_secured", user="half").replace(pg18.password, "half-secret"))
    _exporting(site, ["t"])
    done = site.run("backup", str(site.policy_file), "production", "nightly", expect=1)
    assert b"row-level security" in done.stderr
    site.variables["AIRFLOW_CONN_SHOP_DB"] = url
    assert len(_rows(site, site.backup(), "t")) == 11


def test_rows_are_those_of_the_dumps_snapshot(make_database: Callable[..., str], make_site: MakeSite) -> None:
    """Rows written while the backup runs are in neither the counts nor the CSV."""
    url = make_database("CREATE TABLE t AS SELECT n FROM generate_series(1, 200000) n")
    site = make_site(url)
    _exporting(site, ["t"])
    stop = threading.Event()

    def write() -> None:
        with psycopg.connect(url, autocommit=True) as session:
            while not stop.is_set():
                session.execute("INSERT INTO t VALUES (-1)")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        id = site.backup()
    finally:
        stop.set()
        writer.join()
    (export,) = site.json("export", "list", str(site.policy_file), "production")["exports"]
    manifest = json.loads(Path(site.store_folder / "shop/production/restore-points" / id / "manifest.json").read_text())
    (table,) = manifest["database"]["source"]["tables"]
    assert table["rows"] == export["rows"] == len(_rows(site, id, "t")) - 1
