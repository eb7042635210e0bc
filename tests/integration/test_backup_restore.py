"""A whole life of a restore point through the command line: backup, list, verify, restore, compare."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest
from psycopg import sql

from audit_trail import told
from fix_environment import MakeSite, Site

SHOP = """
CREATE TYPE mood AS ENUM ('calm', 'busy');
CREATE TABLE "User" ("userId" serial PRIMARY KEY, email text UNIQUE NOT NULL, mood mood DEFAULT 'calm');
CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    buyer int NOT NULL REFERENCES "User", total numeric(10,2) CHECK (total >= 0), placed timestamptz DEFAULT now());
CREATE INDEX ON orders (placed);
CREATE VIEW spenders AS SELECT buyer, sum(total) FROM orders GROUP BY buyer;
INSERT INTO "User" (email) SELECT 'user' || n || '@example.com' FROM generate_series(1, 500) n;
INSERT INTO orders (buyer, total) SELECT 1 + n % 500, n FROM generate_series(1, 3000) n;
"""


def execute(url: str, text: str) -> list[tuple[Any, ...]]:
    """Run SQL on a database of the test."""
    with psycopg.connect(url, autocommit=True) as session:
        found = session.execute(text)  # type: ignore[call-overload]
        return list(found.fetchall()) if found.description else []


@pytest.fixture
def shop(make_database: Any, make_site: MakeSite) -> Site:
    """A site with a small shop on PostgreSQL 18 and a local store."""
    return make_site(make_database(SHOP))


def test_backup_list_verify_restore(shop: Site, pg18: Any) -> None:
    """What was dumped is listed, intact, and comes back equal, into a database that did not exist."""
    policy = str(shop.policy_file)
    made = shop.json("backup", policy, "production", "snapshot", "--label", "pre-deploy-2026.11.3")
    assert made["tables"] == 2
    assert made["rows"] == 3500
    (point,) = shop.json("list", policy, "production")["restore_points"]
    assert (point["id"], point["tier"], point["label"]) == (made["id"], "snapshot", "pre-deploy-2026.11.3")
    report = shop.json("verify", policy, "production", made["id"])
    assert report["ok"]
    assert report["decrypted"]
    target = pg18.url("shop_restored")
    restored = shop.json("restore", policy, "production", made["id"], "--to", target, "--jobs", "2")
    assert (restored["tables"], restored["rows"], restored["counts"]) == (2, 3500, "equal")
    assert execute(target, 'SELECT count(*) FROM "User"') == [(500,)]
    assert execute(target, "SELECT count(*) FROM spenders") == [(500,)]
    assert b"CREATE ROLE" in shop.run("fetch", policy, "production", made["id"], "globals.sql").stdout
    triggered, came_back, exported = told(shop.environment())
    assert [each.subject for each in (triggered, came_back, exported)] == [made["id"]] * 3
    assert [each.action for each in (triggered, came_back, exported)] == ["triggered", "restored", "exported"]
    assert triggered.details == {"tier": "snapshot", "label": "pre-deploy-2026.11.3"}
    assert (exported.details, exported.via) == ({"artifact": "globals.sql"}, "cli")
    assert "shop_restored" in str(came_back.details["to"])
    assert not list(shop.scratch.iterdir())


def test_restore_by_one_job_needs_no_file(shop: Site, pg18: Any) -> None:
    """With one job the archive goes from the store straight into pg_restore."""
    id = shop.backup()
    target = pg18.url("shop_piped")
    shop.json("restore", str(shop.policy_file), "production", id, "--to", target, "--jobs", "1")
    assert execute(target, "SELECT count(*), max(total) FROM orders")[0][0] == 3000


def test_restore_chosen_table(shop: Site, pg18: Any) -> None:
    """A quoted mixed-case table comes with its type, its key and its sequence, and no other table."""
    id = shop.backup()
    target = pg18.url("shop_table")
    report = shop.json("restore", str(shop.policy_file), "production", id, "--to", target, "--table", '"User"')
    assert (report["tables"], report["rows"]) == (1, 500)
    assert execute(target, "SELECT nextval('\"User_userId_seq\"')") == [(501,)]
    assert execute(target, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(1,)]


def test_restore_by_connection_id(shop: Site, pg18: Any) -> None:
    """The target may be a connection, so that no password stands on a command line."""
    id = shop.backup()
    target = pg18.create_database("shop_by_conn")
    shop.json(
        "restore", str(shop.policy_file), "production", id, "--to", "shop_target", AIRFLOW_CONN_SHOP_TARGET=target
    )
    assert execute(target, "SELECT count(*) FROM orders") == [(3000,)]


def test_target_with_objects_or_live_is_refused(shop: Site, pg18: Any) -> None:
    """Neither the live database nor one that holds anything is written to."""
    id = shop.backup()
    policy = str(shop.policy_file)
    live = shop.variables["AIRFLOW_CONN_SHOP_DB"]
    refused = shop.run("restore", policy, "production", id, "--to", live, expect=1)
    assert b"live" in refused.stderr
    used = pg18.create_database("shop_used")
    execute(used, "CREATE TABLE mine (x int)")
    refused = shop.run("restore", policy, "production", id, "--to", used, expect=1)
    assert b"mine" in refused.stderr
    assert execute(live, "SELECT count(*) FROM orders") == [(3000,)]
    assert execute(used, "SELECT count(*) FROM mine") == [(0,)]


def test_counts_are_those_of_the_snapshot(shop: Site, pg18: Any) -> None:
    """Rows written while the dump runs belong to neither dump nor manifest."""
    url = shop.variables["AIRFLOW_CONN_SHOP_DB"]
    with psycopg.connect(url, autocommit=True) as writer:
        writer.execute("CREATE TABLE busy AS SELECT generate_series(1, 200000) n")
        from threading import Event, Thread

        stop = Event()

        def write() -> None:
            while not stop.is_set():
                writer.execute("INSERT INTO busy SELECT generate_series(1, 50)")
                writer.execute("DELETE FROM busy WHERE ctid IN (SELECT ctid FROM busy LIMIT 10)")

        thread = Thread(target=write)
        thread.start()
        try:
            id = shop.backup()
        finally:
            stop.set()
            thread.join()
    shop.json("restore", str(shop.policy_file), "production", id, "--to", pg18.url("shop_busy"))


def test_backup_of_an_empty_database(make_site: MakeSite, pg18: Any) -> None:
    """Nothing in it is no error: it is backed up, verified and restored."""
    site = make_site(pg18.create_database("hollow"))
    id = site.backup()
    report = site.json("restore", str(site.policy_file), "production", id, "--to", pg18.url("hollow_restored"))
    assert (report["tables"], report["rows"]) == (0, 0)


ODD_NAMES = ['with "quotes"', "with space", "naïve ☃ 名前", "x" * 63, "semi;colon--", "new\nline", "%s %(a)s {b}"]


def test_odd_names_everywhere(make_site: MakeSite, pg18: Any) -> None:
    """Schemas, tables, columns and the database itself may be named as PostgreSQL allows."""
    url = pg18.create_database('odd "name" ☃')
    with psycopg.connect(url, autocommit=True) as session:
        for name in ODD_NAMES:
            session.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
            table = sql.Identifier(name, name)
            session.execute(sql.SQL("CREATE TABLE {} ({} int)").format(table, sql.Identifier(name[:50])))
            session.execute(sql.SQL("INSERT INTO {} VALUES (1), (2)").format(table))
    site = make_site(url)
    id = site.backup()
    report = site.json("restore", str(site.policy_file), "production", id, "--to", pg18.url("odd_restored"))
    assert (report["tables"], report["rows"]) == (len(ODD_NAMES), 2 * len(ODD_NAMES))


def test_older_server_and_client(make_site: MakeSite, pg15: Any) -> None:
    """PostgreSQL 15 with its own client, which has no zstd: the outer zstd is undone on the way back."""
    url = pg15.create_database("elder")
    execute(url, SHOP)
    site = make_site(url)
    made = site.json("backup", str(site.policy_file), "production", "nightly", HOLDFAST_PG_BIN=str(pg15.bin))
    assert any(name.endswith("database.dump.zst.age") for name in site.stored_files())
    report = site.json(
        "restore",
        str(site.policy_file),
        "production",
        made["id"],
        "--to",
        pg15.url("elder_restored"),
        HOLDFAST_PG_BIN=str(pg15.bin),
    )
    assert report["rows"] == 3500


def test_backup_to_s3(shop: Site, pg18: Any, seaweed: Any, make_site: MakeSite, tmp_path_factory: Any) -> None:
    """The same life in an S3 bucket, credentials from a connection."""
    bucket = seaweed.create_bucket("shop-backups")
    conn = json.dumps(
        {
            "conn_type": "aws",
            "login": seaweed.access_key,
            "password": seaweed.secret_key,
            "extra": {"endpoint_url": seaweed.endpoint, "region_name": "us-east-1"},
        }
    )
    shop.edit_policy(f'url: "file://{shop.store_folder}", conn_id: null', f's3: "{bucket}"')
    shop.edit_policy('s3: "', 'url: "s3://')
    shop.edit_policy('shop-backups"', 'shop-backups/holdfast", conn_id: shop_store')
    shop.variables["AIRFLOW_CONN_SHOP_STORE"] = conn
    id = shop.backup()
    assert shop.ids() == [id]
    assert shop.json("verify", str(shop.policy_file), "production", id)["ok"]
    shop.json("restore", str(shop.policy_file), "production", id, "--to", pg18.url("shop_from_s3"))


def test_host_without_identity_verifies_by_hash(shop: Site) -> None:
    """Where backups are taken but not read, sizes and hashes are checked, and it is said so."""
    shop.edit_policy(f"      identity_file: {shop.keys}/identity.txt\n", "")
    (shop.keys / "identity.txt").unlink()
    id = shop.backup()
    report = shop.json("verify", str(shop.policy_file), "production", id)
    assert report["ok"]
    assert report["decrypted"] is False
    refused = shop.run("restore", str(shop.policy_file), "production", id, "--to", "postgresql://x/y", expect=2)
    assert b"identity_file" in refused.stderr


def test_doctor_finds_all_well_and_names_what_is_not(shop: Site) -> None:
    """Every check passes on a sound site, and a wrong identity is found before it is needed."""
    checks = shop.json("doctor", str(shop.policy_file), "production")
    assert checks["ok"]
    assert {check["name"] for check in checks["checks"]} >= {"store write", "database", "privileges", "identity"}
    assert shop.stored_files() == []
    other = shop.folder / "other"
    shop.run("keys", "new", "--out", str(other))
    shop.edit_policy(f"identity_file: {shop.keys}", f"identity_file: {other}")
    checks = shop.json("doctor", str(shop.policy_file), "production", expect=1)
    (bad,) = [check for check in checks["checks"] if check["verdict"] == "failed"]
    assert bad["name"] == "identity"


def test_fetch_gives_the_plaintext_of_one_artifact(shop: Site) -> None:
    """The roles come back as SQL, the dump as an archive; an unknown name is answered with the known ones."""
    id = shop.backup()
    policy = str(shop.policy_file)
    roles = shop.run("fetch", policy, "production", id, "globals.sql").stdout
    assert b"CREATE ROLE" in roles
    assert b"PASSWORD" not in roles
    assert shop.run("fetch", policy, "production", id, "database.dump.age").stdout.startswith(b"PGDMP")
    refused = shop.run("fetch", policy, "production", id, "nothing", expect=2)
    assert b"globals.sql.age" in refused.stderr


def test_restore_of_a_table_whose_name_has_two_lines(make_database: Any, make_site: MakeSite, pg18: Any) -> None:
    """A listing shows the break as a space; of two that look alike there, neither is guessed."""
    site = make_site(
        make_database("""
        CREATE TABLE "two\nlines" AS SELECT generate_series(1, 7);
        CREATE TABLE "tw\nin" (); CREATE TABLE "tw in" ()""")
    )
    restore = ["restore", str(site.policy_file), "production", site.backup(), "--to"]
    report = site.json(*restore, pg18.url("two_lines"), "--table", 'public."two\nlines"')
    assert (report["tables"], report["rows"]) == (1, 7)
    assert "these look alike" in site.json(*restore, pg18.url("twins"), "--table", '"tw\nin"', expect=2)["hint"]


def test_what_pg_dump_warns_of_is_told(pg18: Any, make_site: MakeSite) -> None:
    """A dump that succeeds may be of a database that needs care; its warnings reach stderr, and no script's stdout."""
    execute(
        pg18.url(),
        "CREATE DATABASE aged TEMPLATE template0 LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' ENCODING 'UTF8'",
    )
    try:
        execute(pg18.url(), "UPDATE pg_database SET datcollversion = '0.1' WHERE datname = 'aged'")
        site = make_site(pg18.url("aged"))
        done = site.run("backup", str(site.policy_file), "production", "nightly", "--json")
        assert json.loads(done.stdout)["tables"] == 0
        (line,) = [line for line in done.stderr.decode().splitlines() if line.startswith("dump:")]
        assert 'pg_dump warned: WARNING: database "aged" has a collation version mismatch' in line
        assert pg18.password not in line
    finally:
        execute(pg18.url(), "DROP DATABASE aged WITH (FORCE)")


def test_login_triggers_change_no_counts(make_database: Any, make_site: MakeSite, pg18: Any) -> None:
    """One that keeps a journal of logins would add a row with each session that counts."""
    url = make_database("""
        CREATE TABLE logins (at timestamptz DEFAULT now());
        CREATE FUNCTION note() RETURNS event_trigger LANGUAGE plpgsql
            AS 'BEGIN INSERT INTO public.logins DEFAULT VALUES; END';
        CREATE EVENT TRIGGER note ON login EXECUTE FUNCTION note()""")
    site = make_site(url)
    restored = site.json(
        "restore", str(site.policy_file), "production", site.backup(), "--to", pg18.url("restored_logins")
    )
    assert restored["counts"] == "equal"
