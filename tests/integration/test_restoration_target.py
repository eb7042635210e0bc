"""Targets of restores: looked at, refused when they hold anything, created as the source was."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from awkward import AWKWARD
from fix_postgres import execute, rows
from holdfast.errors import DatabaseError, DatabaseUnavailable, RestoreError
from holdfast.manifest.model import SourceFacts
from holdfast.postgres.conninfo import Target
from holdfast.postgres.facts import UNKNOWN
from holdfast.postgres.snapshot import exported_snapshot
from holdfast.postgres.target import Identity, create_database, identity_of_source, inspect, require_fresh
from holdfast.recovery.cluster import Cluster

Make = Callable[..., str]


def facts_of(url: str) -> SourceFacts:
    """The facts of a database."""
    with exported_snapshot(Target.parse(url)) as snapshot:
        return snapshot.facts


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE t ()", "CREATE VIEW v AS SELECT 1", "CREATE MATERIALIZED VIEW v AS SELECT 1",
        "CREATE SEQUENCE s", "CREATE TYPE e AS ENUM ()", "CREATE DOMAIN d AS int", "CREATE TYPE c AS (a int)",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "CREATE SCHEMA s", "SELECT lo_create(0)",
        "CREATE PUBLICATION p", "CREATE COLLATION c FROM \"C\"", "CREATE FOREIGN DATA WRAPPER w",
        "CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';"
        "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION f()",
        "CREATE OPERATOR === (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq)",
        "CREATE TEXT SEARCH CONFIGURATION t (COPY = simple)", "CREATE AGGREGATE a (int) (SFUNC = int4pl, STYPE = int)",
        "CREATE CAST (int4range AS text) WITH INOUT",
    ],
)  # fmt: skip
def test_anything_of_a_user_makes_it_not_empty(make_database: Make, database: str, sql: str) -> None:
    """Tables are not all that a restore could collide with."""
    url = make_database(sql)
    found = inspect(Target.parse(url))
    assert found.exists
    assert found.object_count >= 1
    with pytest.raises(RestoreError, match="it is not empty") as caught:
        require_fresh(found, facts_of(database))
    assert found.objects[0] in str(caught.value)


@pytest.mark.parametrize("sql", ["", "CREATE EXTENSION hstore", "CREATE EXTENSION pgcrypto SCHEMA public"])
def test_extensions_do_not_count(make_database: Make, database: str, sql: str) -> None:
    """A hosting service may put them into every new database."""
    found = inspect(Target.parse(make_database(sql)))
    assert found.objects == ()
    require_fresh(found, facts_of(database))


def test_live_source_is_refused_even_when_empty(database: str) -> None:
    """By identity, whatever address leads there."""
    facts = facts_of(database)
    with pytest.raises(RestoreError, match="it is the live database"):
        require_fresh(inspect(Target.parse(database.replace("127.0.0.1", "localhost"))), facts)


def test_dropped_source_may_come_back(pg18: Cluster, database: str) -> None:
    """What no longer exists is not live."""
    facts = facts_of(database)
    name = Target.parse(database).database
    execute(pg18.url(), f"DROP DATABASE {name}")
    found = inspect(Target.parse(database))
    assert not found.exists
    require_fresh(found, facts)
    assert create_database(Target.parse(database), facts) == ()
    assert inspect(Target.parse(database)).exists


def test_same_name_on_another_server_is_another_database(pg18: Cluster, pg15: Cluster, make_database: Make) -> None:
    """The cluster's own number tells."""
    facts = facts_of(make_database(name="twin", cluster=pg18))
    require_fresh(inspect(Target.parse(make_database(name="twin", cluster=pg15))), facts)


def test_hidden_system_identifier_is_taken_for_the_same() -> None:
    """Then the name alone decides, to be on the safe side."""
    assert Identity(UNKNOWN, "d").may_be(Identity("7", "d"))
    assert not Identity(UNKNOWN, "d").may_be(Identity("7", "e"))
    assert not Identity("8", "d").may_be(Identity("7", "d"))


def test_hidden_system_identifier_is_recorded_as_such(pg18: Cluster, make_database: Make) -> None:
    """A service may forbid the function; the backup goes on."""
    url = make_database("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM public")
    execute(url, "CREATE ROLE plain LOGIN PASSWORD 'x'")
    try:
        facts = facts_of(f"postgresql://plain:x@{url.rpartition('@')[2]}")
        assert identity_of_source(facts).system_identifier == UNKNOWN
    finally:
        execute(url, "DROP ROLE plain")


@pytest.mark.parametrize("name", ["odd \"name\" 'ü'", "a=b", "x" * 63])
def test_created_like_the_source(pg18: Cluster, pg15: Cluster, make_database: Make, database: str, name: str) -> None:
    """Encoding and locale, whatever it is called."""
    for cluster in (pg18, pg15):
        target = Target.parse(cluster.url(name))
        assert not inspect(target).exists
        assert create_database(target, facts_of(database)) == ()
        try:
            made = facts_of(cluster.url(name))
            assert (made.database, made.encoding, made.collate) == (name, "UTF8", "C.UTF-8")
        finally:
            doubled = name.replace('"', '""')
            execute(cluster.url(), f'DROP DATABASE "{doubled}"')


def locale_of(url: str) -> tuple[str, str, str]:
    """Encoding, collation, provider."""
    facts = facts_of(url)
    return facts.encoding, facts.collate, facts.locale_provider


@pytest.mark.parametrize(
    ("options", "on_18", "on_15", "notes"),
    [
        ("ENCODING 'LATIN1' LOCALE 'C'", ("LATIN1", "C", "libc"), ("LATIN1", "C", "libc"), ("", "")),
        (
            "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C'",
            ("UTF8", "C", "builtin"), ("UTF8", "C", "libc"), ("", "locale C of libc instead"),
        ),
    ],
)  # fmt: skip
def test_locale_of_18(
    pg18: Cluster, pg15: Cluster, options: str, on_18: tuple[str, str, str], on_15: tuple[str, str, str],
    notes: tuple[str, str],
) -> None:  # fmt: skip
    """The same where the server has it, else the nearest, and a note."""
    execute(pg18.url(), f"CREATE DATABASE localised TEMPLATE template0 {options}")
    try:
        facts = facts_of(pg18.url("localised"))
        for cluster, expected, note in ((pg18, on_18, notes[0]), (pg15, on_15, notes[1])):
            said = create_database(Target.parse(cluster.url("copy")), facts)
            assert note in " ".join(said)
            assert bool(said) == bool(note)
            assert locale_of(cluster.url("copy")) == expected
            execute(cluster.url(), "DROP DATABASE copy")
    finally:
        execute(pg18.url(), "DROP DATABASE localised")


def test_icu_on_a_server_without_it(pg18: Cluster, pg15: Cluster) -> None:
    """The wheel's build lacks ICU: libc's locale of the same database is taken, and it is said."""
    execute(
        pg15.url(), "CREATE DATABASE icu TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'de-DE' LOCALE 'C.UTF-8'"
    )
    try:
        facts = facts_of(pg15.url("icu"))
        assert (facts.locale_provider, facts.locale) == ("icu", "de-DE")
        assert create_database(Target.parse(pg15.url("copy")), facts) == ()
        assert locale_of(pg15.url("copy")) == ("UTF8", "C.UTF-8", "icu")
        said = create_database(Target.parse(pg18.url("copy")), facts)
        assert said == ("the target server has no locale de-DE of icu; created with locale C.UTF-8 of libc instead",)
    finally:
        for cluster, name in ((pg15, "icu"), (pg15, "copy"), (pg18, "copy")):
            execute(cluster.url(), f"DROP DATABASE IF EXISTS {name}")


def test_role_that_may_not_create_databases(pg18: Cluster, database: str) -> None:
    """Is told what to do."""
    execute(pg18.url(), "CREATE ROLE humble LOGIN PASSWORD 'x'")
    target = Target.parse(f"postgresql://humble:x@127.0.0.1:{pg18.port}/new")
    try:
        assert not inspect(target).is_superuser
        with pytest.raises(DatabaseError, match="may not create databases") as caught:
            create_database(target, facts_of(database))
        assert 'ALTER ROLE "humble" CREATEDB' in (caught.value.hint or "")
    finally:
        execute(pg18.url(), "DROP ROLE humble")


def test_server_that_does_not_answer() -> None:
    """Transient, and never taken for a database that does not exist."""
    with pytest.raises(DatabaseUnavailable):
        inspect(Target.parse("postgresql://u@127.0.0.1:1/d"))


def test_awkward_objects_are_listed_on_one_line(make_database: Make) -> None:
    """Names with line breaks too; the first twenty of all."""
    found = inspect(Target.parse(make_database(AWKWARD)))
    assert len(found.objects) == 20 < found.object_count
    assert not any("\n" in name for name in found.objects)
    assert rows(found.target.conninfo(), "SELECT 1") == [(1,)]
