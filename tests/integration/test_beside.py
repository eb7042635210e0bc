"""A restore beside the live database comes out with its owners, grants and settings, so that the application works."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

import psycopg
import pytest

from fix_environment import MakeSite, Site
from fix_postgres import execute, rows
from holdfast.errors import RestoreError
from holdfast.postgres.beside import drop_beside, make_beside, owner_faults, read_live_rights, take_over
from holdfast.postgres.conninfo import Target
from holdfast.postgres.databases import identify
from holdfast.postgres.facts import read_facts
from holdfast.postgres.maintenance import maintenance_session
from holdfast.postgres.rights import Rights
from holdfast.postgres.session import connect
from holdfast.progress import Silent
from holdfast.recovery.cluster import Cluster
from holdfast.restore.attempt import attempt_restore
from holdfast.restore.clean import restore_clean
from holdfast.restore.database import restore_database
from holdfast.values.ids import RestorePointId
from live_pair import OPERATION, Pair, make_pair, marker

SCHEMA = """
CREATE SCHEMA "Shop" AUTHORIZATION {owner};
CREATE SCHEMA private;
GRANT USAGE, CREATE ON SCHEMA "Shop" TO {app};
CREATE TYPE "Shop"."State" AS ENUM ('new', 'paid');
REVOKE ALL ON TYPE "Shop"."State" FROM PUBLIC;
GRANT USAGE ON TYPE "Shop"."State" TO {app} WITH GRANT OPTION;
CREATE TABLE "Shop"."User" (id serial PRIMARY KEY, email text, secret text, state "Shop"."State" DEFAULT 'new');
CREATE TABLE "Shop".orders (id int GENERATED ALWAYS AS IDENTITY, buyer int REFERENCES "Shop"."User")
  PARTITION BY RANGE (id);
CREATE TABLE "Shop".orders_1 PARTITION OF "Shop".orders FOR VALUES FROM (1) TO (100);
CREATE SEQUENCE "Shop".numbers;
CREATE VIEW "Shop".emails AS SELECT email FROM "Shop"."User";
CREATE MATERIALIZED VIEW "Shop".totals AS SELECT count(*) FROM "Shop"."User";
CREATE FUNCTION "Shop".greet(a int, VARIADIC b "Shop"."State"[]) RETURNS text LANGUAGE sql SECURITY DEFINER
  AS $$ SELECT 'hello' $$;
CREATE PROCEDURE "Shop".tidy(INOUT a int) LANGUAGE plpgsql AS $$ BEGIN a := 1; END $$;
CREATE AGGREGATE "Shop".many(int) (SFUNC = int4pl, STYPE = int);
CREATE DOMAIN "Shop".plate AS text;
CREATE EXTENSION pg_trgm SCHEMA "Shop";
ALTER TABLE "Shop"."User" OWNER TO {owner};
ALTER TABLE "Shop".orders OWNER TO {owner};
ALTER TABLE "Shop".orders_1 OWNER TO {owner};
ALTER VIEW "Shop".emails OWNER TO {owner};
ALTER MATERIALIZED VIEW "Shop".totals OWNER TO {owner};
ALTER FUNCTION "Shop".greet OWNER TO {owner};
ALTER TYPE "Shop"."State" OWNER TO {owner};
ALTER SEQUENCE "Shop".numbers OWNER TO {owner};
GRANT SELECT, INSERT, UPDATE ON "Shop".orders TO {app};
GRANT SELECT (id, email), INSERT (email), UPDATE (email) ON "Shop"."User" TO {app};
GRANT USAGE ON SEQUENCE "Shop"."User_id_seq", "Shop".numbers TO {app};
GRANT SELECT ON "Shop".emails TO PUBLIC;
GRANT SELECT ON "Shop".totals TO {app} WITH GRANT OPTION;
REVOKE ALL ON FUNCTION "Shop".greet FROM PUBLIC;
GRANT EXECUTE ON FUNCTION "Shop".greet TO {app};
REVOKE ALL ON PROCEDURE "Shop".tidy(int) FROM PUBLIC;
REVOKE ALL ON FUNCTION "Shop".many(int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION "Shop".show_limit() TO {app};
REVOKE EXECUTE ON FUNCTION pg_catalog.pg_sleep(double precision) FROM PUBLIC;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA "Shop" GRANT SELECT ON TABLES TO {app};
ALTER DEFAULT PRIVILEGES FOR ROLE {owner} REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
SELECT lo_create(7000);
GRANT SELECT ON LARGE OBJECT 7000 TO {app};
INSERT INTO "Shop"."User" (email, secret) VALUES ('a@example.com', 'x'), ('b@example.com', 'y');
INSERT INTO "Shop".orders (buyer) VALUES (1);
SELECT nextval('"Shop".numbers');
"""
# Everything that a role may do anywhere, as PostgreSQL itself keeps it.
_ACLS = """
SELECT 'class ' || oid::regclass, relowner::regrole::text, (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(
         coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner))) a)
  FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'S') AND relnamespace <> 'pg_toast'::regnamespace
UNION ALL SELECT 'column ' || attrelid::regclass || '.' || attname, '',
       (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(attacl) a) FROM pg_attribute WHERE attacl IS NOT NULL
UNION ALL SELECT 'proc ' || oid::regprocedure, proowner::regrole::text, (SELECT array_agg(a::text ORDER BY a::text)
       FROM unnest(coalesce(proacl, acldefault('f', proowner))) a) FROM pg_proc
UNION ALL SELECT 'type ' || oid::regtype, typowner::regrole::text, (SELECT array_agg(a::text ORDER BY a::text)
       FROM unnest(coalesce(typacl, acldefault('T', typowner))) a) FROM pg_type
UNION ALL SELECT 'schema ' || nspname, nspowner::regrole::text, (SELECT array_agg(a::text ORDER BY a::text)
       FROM unnest(coalesce(nspacl, acldefault('n', nspowner))) a) FROM pg_namespace WHERE nspname !~ '^pg_t'
UNION ALL SELECT 'large object ' || oid, lomowner::regrole::text, (SELECT array_agg(a::text ORDER BY a::text)
       FROM unnest(lomacl) a) FROM pg_largeobject_metadata
UNION ALL SELECT 'default ' || defaclrole::regrole || ' ' || defaclnamespace::regnamespace::text || ' '
       || defaclobjtype::text, '',
       (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(defaclacl) a) FROM pg_default_acl
ORDER BY 1
"""


@dataclass(frozen=True)
class Shop:
    """An app with a live database, an owner and an application role without any more rights; and its backup."""

    pair: Pair
    site: Site
    owner: str
    app: str

    def url(self, name: str, user: str | None = None) -> str:
        """A session's address; roles have the password ``secret``."""
        return self.pair.cluster.url(name, user=user, password="secret" if user else None)

    def acls(self, name: str) -> dict[object, object]:
        """Owners and grants of everything in a database."""
        return {what: (owner, acl) for what, owner, acl in rows(self.url(name), _ACLS)}

    def works(self, name: str) -> None:
        """The application reads and writes what it may, and nothing else."""
        with closing(psycopg.connect(self.url(name, self.app), autocommit=True)) as session:
            session.execute("""INSERT INTO "Shop"."User" (email) VALUES ('c@example.com')""")
            assert session.execute("""SELECT count(email) FROM "Shop"."User" """).fetchone() == (3,)
            session.execute("""INSERT INTO "Shop".orders (buyer) VALUES (2)""")
            session.execute("""SELECT nextval('"Shop".numbers')""")
            assert session.execute("""SELECT "Shop".greet(1, 'new')""").fetchone() == ("hello",)
            for refused in ('SELECT secret FROM "Shop"."User"', "SELECT pg_sleep(0)", 'CALL "Shop".tidy(1)'):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    session.execute(refused.encode())


@contextmanager
def make_shop(cluster: Cluster, make_site: MakeSite) -> Iterator[Shop]:
    """The roles go with it."""
    with make_pair(cluster) as pair:
        pair.run("DROP DATABASE {}", pair.beside_name)
        owner, app = f"{pair.name}_owner", f"{pair.name}_app"
        try:
            for role in (owner, app):
                pair.run("CREATE ROLE {} LOGIN PASSWORD 'secret'", role)
            pair.run("ALTER DATABASE {} OWNER TO {}", pair.name, owner)
            execute(cluster.url(pair.name), SCHEMA.replace("{owner}", owner).replace("{app}", app))
            yield Shop(pair, make_site(cluster.url(pair.name)), owner, app)
        finally:
            for name in (pair.name, pair.keep_as, pair.beside_name):
                pair.run("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
            for role in (owner, app):
                pair.run("DROP ROLE {}", role)


@pytest.fixture(params=["18", "15"])
def cluster(request: pytest.FixtureRequest, pg18: Cluster, pg15: Cluster) -> Cluster:
    """Each server in turn."""
    return {"18": pg18, "15": pg15}[request.param]


@pytest.fixture
def pair(cluster: Cluster) -> Iterator[Pair]:
    """A live database and one beside it."""
    with make_pair(cluster) as made:
        yield made


@pytest.fixture
def shop(cluster: Cluster, make_site: MakeSite) -> Iterator[Shop]:
    """An app with a backup to come."""
    with make_shop(cluster, make_site) as made:
        yield made


def _restored(shop: Shop, jobs: int = 1) -> tuple[Target, tuple[str, ...]]:
    """Backed up, restored beside with owners, and given what a dump lacks; the notes."""
    environment = shop.site.environment()
    id = RestorePointId.parse(shop.site.backup())
    source = environment.catalog.manifest(id, environment.verifier()).database.source
    assert owner_faults(shop.pair.server, source) == ()
    beside = make_beside(shop.pair.server, shop.pair.beside_name, source, marker=marker(shop.pair.name))
    attempt = attempt_restore(environment, id, to=beside, jobs=jobs, with_owners=True)
    attempt.require_passed()
    assert attempt.has_owners
    return beside, take_over(shop.pair.server, beside, progress=Silent(), have_owners=attempt.has_owners)


def test_application_works_after_the_switch_as_before(shop: Shop) -> None:
    """Owners and every grant are those of the live database; the sequences stand where they stood."""
    pair = shop.pair
    before = shop.acls(pair.name)
    _, notes = _restored(shop, jobs=2)
    assert notes == ()
    assert shop.acls(pair.beside_name) == before
    assert pair.switch().notes == ()
    assert shop.acls(pair.name) == before
    assert rows(shop.url(pair.name), """SELECT last_value FROM "Shop"."User_id_seq" """) == [(2,)]
    shop.works(pair.name)


def test_objects_that_only_one_has_are_told_and_get_todays_default_privileges(shop: Shop) -> None:
    """A table that a migration dropped comes back: the application may read it as any new one."""
    pair = shop.pair
    execute(shop.url(pair.name, shop.owner), """CREATE TABLE "Shop".dropped AS SELECT 1 AS a""")
    environment = shop.site.environment()
    id = RestorePointId.parse(shop.site.backup())
    execute(shop.url(pair.name), """DROP TABLE "Shop".dropped; CREATE TABLE "Shop".added ()""")
    source = environment.catalog.manifest(id, environment.verifier()).database.source
    beside = make_beside(pair.server, pair.beside_name, source, marker=marker(pair.name))
    attempt_restore(environment, id, to=beside, with_owners=True).require_passed()
    notes = take_over(pair.server, beside, progress=Silent())
    assert [note.partition(":")[0] for note in notes] == ['table "Shop".dropped', 'table "Shop".added']
    assert rows(shop.url(pair.beside_name, shop.app), 'SELECT a FROM "Shop".dropped') == [(1,)]


def test_a_role_without_superuser_gives_owners_afterwards_where_it_is_a_member(shop: Shop) -> None:
    """A managed service: the restoring role owns what it restored, until take_over gives it away."""
    pair, deployer = shop.pair, f"{shop.pair.name}_deployer"
    execute(shop.url(pair.name), "DROP EXTENSION pg_trgm; DROP SCHEMA private; SELECT lo_unlink(7000)")
    for noun, name in (("PROCEDURE", "tidy(int)"), ("AGGREGATE", "many(int)"), ("DOMAIN", "plate")):
        execute(shop.url(pair.name), f'ALTER {noun} "Shop".{name} OWNER TO {shop.owner}')
    execute(shop.url(pair.name), f"ALTER TABLE this OWNER TO {shop.owner}")
    environment = shop.site.environment()
    id = RestorePointId.parse(shop.site.backup())
    before = shop.acls(pair.name)
    pair.run("CREATE ROLE {} LOGIN CREATEDB PASSWORD 'secret'", deployer)
    try:
        pair.run("GRANT {} TO {}", shop.owner, deployer)
        server = Target.parse(shop.url(pair.name, deployer))
        source = environment.catalog.manifest(id, environment.verifier()).database.source
        assert [fault.partition(", ")[0] for fault in owner_faults(server, source)] == [
            f"role {deployer} is not a member of role {shop.app}"
        ]
        beside = make_beside(server, pair.beside_name, source, marker=marker(pair.name))
        attempt = attempt_restore(environment, id, to=beside, with_owners=True)
        attempt.require_passed()
        assert not attempt.has_owners
        assert "no superuser" in attempt.notes[-1]
        notes = take_over(server, beside, progress=Silent(), have_owners=False)
        after = shop.acls(pair.beside_name)
        assert {what for what in before if after.get(what) != before[what]} == {"proc pg_sleep(double precision)"}
        assert notes == ("grants of routine pg_sleep(double precision): the role may not change them",)
    finally:
        drop_beside(pair.server, pair.beside_name, operation=OPERATION)
        pair.run("DROP ROLE {}", deployer)


def test_a_leftover_is_dropped_only_where_it_is_the_operations_own(shop: Shop) -> None:
    """Made again it is empty; what another operation or somebody else made is refused, and stays."""
    pair = shop.pair
    environment = shop.site.environment()
    id = RestorePointId.parse(shop.site.backup())
    source = environment.catalog.manifest(id, environment.verifier()).database.source
    beside = make_beside(pair.server, pair.beside_name, source, marker=marker(pair.name))
    first = identify(beside)
    execute(shop.url(pair.beside_name), "CREATE TABLE half ()")
    make_beside(pair.server, pair.beside_name, source, marker=marker(pair.name))
    second = identify(beside)
    assert second != first
    execute(shop.url(pair.beside_name), "CREATE TABLE half ()")
    other = marker(pair.name, "20261122T100000Z-restore-ffffff")
    with pytest.raises(RestoreError, match="did not make it"):
        make_beside(pair.server, pair.beside_name, source, marker=other)
    with pytest.raises(RestoreError, match="left alone"):
        drop_beside(pair.server, pair.beside_name, operation="20261122T100000Z-restore-ffffff")
    pair.run("COMMENT ON DATABASE {} IS NULL", pair.beside_name)
    with pytest.raises(RestoreError, match="did not make it"):
        make_beside(pair.server, pair.beside_name, source, marker=marker(pair.name))
    assert identify(beside) == second
    execute(shop.url(pair.beside_name), "DROP TABLE half")
    make_beside(pair.server, pair.beside_name, source, marker=marker(pair.name))
    drop_beside(pair.server, pair.beside_name, operation=OPERATION)
    drop_beside(pair.server, pair.beside_name, operation=OPERATION)
    assert identify(beside) is None


def test_the_live_database_is_never_restored_into(shop: Shop) -> None:
    """Neither by its name nor as the one beside."""
    id = shop.site.backup()
    environment = shop.site.environment()
    with pytest.raises(RestoreError, match="it is the live database"):
        restore_database(environment, RestorePointId.parse(id), to=shop.url(shop.pair.name))
    source = environment.catalog.manifest(RestorePointId.parse(id), environment.verifier()).database.source
    with pytest.raises(RestoreError, match="cannot have its name"):
        make_beside(shop.pair.server, shop.pair.name, source, marker=marker(shop.pair.name))


def test_clean_restore_replaces_the_rows_and_keeps_owners_and_grants(shop: Shop) -> None:
    """Where nothing may be renamed: in one transaction over the live database."""
    pair = shop.pair
    id = RestorePointId.parse(shop.site.backup())
    before = shop.acls(pair.name)
    execute(shop.url(pair.name), """DELETE FROM "Shop".orders; UPDATE "Shop"."User" SET email = 'broken'""")
    kept = read_live_rights(pair.server).encode()
    # As a predecessor leaves it that was killed after its commit.
    execute(shop.url(pair.name), f'REVOKE ALL ON ALL TABLES IN SCHEMA "Shop" FROM {shop.app}')
    asked: list[str] = []
    done = restore_clean(
        shop.site.environment(),
        id,
        live=pair.server,
        identity=pair.identity(pair.name),
        demand=lambda: asked.append("demanded"),
        keep=lambda _: kept,
    )
    assert Rights.decode(kept).encode() == kept
    assert (asked, done.differences, done.notes) == (["demanded"], (), ())
    assert rows(shop.url(pair.name), """SELECT email FROM "Shop"."User" ORDER BY id""") == [
        ("a@example.com",),
        ("b@example.com",),
    ]
    assert shop.acls(pair.name) == before
    shop.works(pair.name)


def test_clean_restore_that_is_refused_changes_nothing(shop: Shop) -> None:
    """A newer table refers to one that would be dropped: all is undone."""
    pair = shop.pair
    id = RestorePointId.parse(shop.site.backup())
    execute(
        shop.url(pair.name), """CREATE TABLE newer (buyer int REFERENCES "Shop"."User"); DELETE FROM "Shop".orders"""
    )
    before = shop.acls(pair.name)
    with pytest.raises(RestoreError, match=r"(?s)restore of .* over .*other objects depend"):
        restore_clean(
            shop.site.environment(),
            id,
            live=pair.server,
            identity=pair.identity(pair.name),
            demand=lambda: None,
        )
    assert shop.acls(pair.name) == before
    assert rows(shop.url(pair.name), """SELECT count(*) FROM "Shop".orders""") == [(0,)]


def test_beside_is_made_like_the_live_database(pair: Pair, cluster: Cluster) -> None:
    """Encoding, locale and tablespace; with a subscription that a restore brought it is still dropped."""
    space = f"space_{pair.name}"
    for name in (pair.name, pair.beside_name):
        pair.run("DROP DATABASE {}", name)
    with closing(psycopg.connect(cluster.url(), autocommit=True)) as session:
        session.execute("SET allow_in_place_tablespaces TO on")
        session.execute(f"CREATE TABLESPACE {space} LOCATION ''".encode())
        session.execute(
            f"CREATE DATABASE {pair.name} TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' "
            f"TABLESPACE {space}".encode()
        )
    with connect(pair.server) as session:
        source = read_facts(session)
    beside = make_beside(pair.server, pair.beside_name, source, marker=marker(pair.name))
    alike = rows(
        cluster.url(),
        "SELECT DISTINCT encoding, datcollate, datctype, dattablespace, datdba FROM pg_database "
        f"WHERE datname IN ('{pair.name}', '{pair.beside_name}')",
    )
    assert len(alike) == 1
    pulling = "CREATE SUBSCRIPTION pulled CONNECTION 'dbname=none' PUBLICATION p WITH (connect = false)"
    execute(cluster.url(pair.beside_name), pulling)
    drop_beside(pair.server, pair.beside_name, operation=OPERATION)
    assert identify(beside) is None
    pair.run("DROP DATABASE {}", pair.name)
    pair.run("DROP TABLESPACE {}", space)


def test_limits_of_the_role_do_not_hold_for_maintenance(pair: Pair) -> None:
    """A statement_timeout that is meant for the application's queries would end every switch."""
    limited = pair.server.with_parameters(options="-c statement_timeout=60000 -c default_transaction_read_only=on")
    with maintenance_session(limited) as session:
        names = ("statement_timeout", "default_transaction_read_only")
        assert [session.execute(f"SHOW {name}".encode()).fetchone() for name in names] == [("0",), ("off",)]
