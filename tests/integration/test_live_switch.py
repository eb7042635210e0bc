"""One database takes another's place on a real server: in one step, with all that was set for the name."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import psycopg
import pytest

from fix_postgres import rows
from holdfast.errors import RestoreError
from holdfast.postgres.databases import identify, look_at_live
from holdfast.postgres.replaced import drop_replaced, list_replaced
from holdfast.postgres.session import Session
from holdfast.postgres.switching import exclusive, find_state, kept_name, switch, take_name
from holdfast.recovery.cluster import Cluster
from live_pair import NOW, POINT, Pair, make_pair, marker

LONG = "Täglich \"Größe\" 'x' — " + "ü" * 20
"""63 bytes at most, of which many make two or three to a letter, and with everything that needs quoting."""


@pytest.fixture(params=["18", "15"])
def cluster(request: pytest.FixtureRequest, pg18: Cluster, pg15: Cluster) -> Cluster:
    """Each server in turn."""
    return {"18": pg18, "15": pg15}[request.param]


@pytest.fixture
def pair(cluster: Cluster) -> Iterator[Pair]:
    """A live database and one beside it."""
    with make_pair(cluster) as made:
        yield made


def test_switch_puts_the_new_one_under_the_name_and_keeps_the_old(pair: Pair) -> None:
    """The sessions of both are ended; the name leads to the new one; the old one is listed and can be dropped."""
    with pair.connect() as busy, pair.connect(pair.beside_name), pair.connect() as idle:
        idle.execute("BEGIN")
        worker = threading.Thread(target=_sleep, args=(busy,))
        worker.start()
        done = pair.switch()
        worker.join(10)
    assert done.is_new
    assert done.ended_sessions == 3
    assert done.unavailable_seconds < 2
    assert (pair.says(pair.name), pair.says(pair.keep_as)) == ("new", "old")
    assert identify(pair.server.with_database(pair.beside_name)) is None
    (kept,) = list_replaced(pair.server, pair.name)
    assert (kept.name, kept.replaced_at, kept.restore_point) == (pair.keep_as, NOW, POINT)
    assert list_replaced(pair.server, "another") == ()
    drop_replaced(pair.server, kept)
    drop_replaced(pair.server, kept)
    assert list_replaced(pair.server, pair.name) == ()
    assert pair.says(pair.name) == "new"


def test_switch_twice_is_done_once(pair: Pair) -> None:
    """A task that runs again finds it done."""
    live, beside = pair.identity(pair.name), pair.identity(pair.beside_name)
    state = {"live": live, "beside": beside, "keep_as": pair.keep_as}
    assert find_state(pair.server, **state) == "not begun"  # type: ignore[arg-type]
    pair.switch()
    assert find_state(pair.server, **state) == "done"  # type: ignore[arg-type]
    assert not pair.switch(live=live, beside=beside).is_new
    assert pair.says(pair.name) == "new"


def test_switch_carries_what_was_set_for_the_database(pair: Pair) -> None:
    """Comment, limit, grants, and the settings of the database and of a role in it."""
    role = f"{pair.name}_reader"
    pair.run("CREATE ROLE {}", role)
    try:
        pair.run("COMMENT ON DATABASE {} IS 'the shop''s own'", pair.name)
        pair.run("ALTER DATABASE {} CONNECTION LIMIT 17", pair.name)
        pair.run("REVOKE ALL ON DATABASE {} FROM PUBLIC", pair.name)
        pair.run("GRANT CONNECT ON DATABASE {} TO {} WITH GRANT OPTION", pair.name, role)
        pair.run("ALTER DATABASE {} SET search_path TO \"A b\", 'public'", pair.name)
        pair.run("ALTER DATABASE {} SET shop.mode TO 'x=y, \"z\"'", pair.name)
        pair.run("ALTER ROLE {} IN DATABASE {} SET work_mem TO '7MB'", role, pair.name)
        pair.run("ALTER DATABASE {} SET work_mem TO '3MB'", pair.beside_name)
        before = _properties(pair)
        assert pair.switch().notes == ()
        assert _properties(pair) == before
        assert before[0][0] == "the shop's own"
    finally:
        for name in (pair.name, pair.keep_as):
            pair.run("REVOKE ALL ON DATABASE {} FROM {}", name, role)
        pair.run("DROP ROLE {}", role)


def test_switch_and_back_with_a_name_of_63_bytes_that_needs_quoting(cluster: Cluster) -> None:
    """The kept name is cut between letters, and the former database can take its name again."""
    name = LONG.encode()[:63].decode(errors="ignore")
    with make_pair(cluster, name) as pair:
        pair.switch()
        assert len(pair.keep_as.encode()) <= 63
        assert pair.says(pair.name) == "new"
        switch(
            pair.server,
            live=pair.identity(name),
            beside=pair.identity(pair.keep_as),
            keep_as=kept_name(name, POINT, {pair.keep_as}),
            end_sessions_s=5,
            marker=marker(name),
            now=NOW,
        )
        assert pair.says(name) == "old"
        assert [each.name for each in list_replaced(pair.server, name)] == [kept_name(name, POINT, {pair.keep_as})]


def test_another_database_under_the_name_is_refused(pair: Pair) -> None:
    """Somebody recreated it meanwhile: nobody's session is ended, nothing is renamed."""
    live, beside = pair.identity(pair.name), pair.identity(pair.beside_name)
    pair.run("ALTER DATABASE {} RENAME TO {}", pair.name, f"{pair.name}_aside")
    pair.run("CREATE DATABASE {}", pair.name)
    with pair.connect() as session, pytest.raises(RestoreError, match="not those of the plan"):
        try:
            pair.switch(live=live, beside=beside)
        finally:
            assert session.execute("SELECT 1").fetchone() == (1,)
    assert identify(pair.server.with_database(pair.beside_name)) == beside


def test_a_taken_name_is_refused(pair: Pair) -> None:
    """What was kept before is never lost to a second switch."""
    pair.run("CREATE DATABASE {}", pair.keep_as)
    with pytest.raises(RestoreError, match="not those of the plan"):
        pair.switch()
    assert pair.says(pair.name) == "old"
    assert kept_name(pair.name, POINT, {pair.keep_as}).endswith("_2")


def test_a_prepared_transaction_is_named_and_hinders(pair: Pair) -> None:
    """It would stay with the old database, and renaming would wait for it in vain."""
    with pair.connect() as session:
        session.execute("BEGIN")
        session.execute("INSERT INTO this VALUES ('prepared')")
        session.execute("PREPARE TRANSACTION 'half done'")
        assert look_at_live(pair.server).prepared_transactions == ("half done",)
        with pytest.raises(RestoreError, match="'half done': run COMMIT PREPARED"):
            pair.switch()
        session.execute("ROLLBACK PREPARED 'half done'")
    assert pair.says(pair.name) == "old"


def test_an_enabled_subscription_is_named_and_hinders(pair: Pair) -> None:
    """It would go on to fill the database that is put aside."""
    with pair.connect() as session:
        session.execute(
            "CREATE SUBSCRIPTION pulled CONNECTION 'dbname=none' PUBLICATION p WITH (connect = false, slot_name = NONE)"
        )
        assert [each.name for each in look_at_live(pair.server).subscriptions] == ["pulled"]
        assert look_at_live(pair.server).hindrances == ()
        session.execute("ALTER SUBSCRIPTION pulled SET (slot_name = 'elsewhere')")
        session.execute("ALTER SUBSCRIPTION pulled ENABLE")
        with pytest.raises(RestoreError, match="subscription pulled is enabled"):
            pair.switch()
        session.execute("ALTER SUBSCRIPTION pulled DISABLE")
        session.execute("ALTER SUBSCRIPTION pulled SET (slot_name = NONE)")
        session.execute("DROP SUBSCRIPTION pulled")


def test_the_name_of_a_lost_database_is_taken(pair: Pair) -> None:
    """After a disaster there is nothing to keep: the one beside becomes the live one."""
    pair.run("DROP DATABASE {}", pair.name)
    assert identify(pair.server) is None
    beside = pair.identity(pair.beside_name)
    assert take_name(pair.server, beside=beside, name=pair.name, end_sessions_s=5).is_new
    assert pair.says(pair.name) == "new"
    assert not take_name(pair.server, beside=beside, name=pair.name, end_sessions_s=5).is_new


def test_owner_without_superuser_switches_and_is_told_what_it_lacks(cluster: Cluster) -> None:
    """The owner with CREATEDB may; who is neither learns it from the look, before anything is made."""
    with make_pair(cluster) as made:
        pair = Pair(cluster, made.name, made.beside_name, f"{made.name}_owner")
        pair.run("CREATE ROLE {} LOGIN PASSWORD 'secret'", pair.user or "")
        try:
            faults = look_at_live(pair.server).may_rename
            assert len(faults) == 2
            assert "CREATEDB" in faults[1]
            pair.run("ALTER ROLE {} CREATEDB", pair.user or "")
            for name in (pair.name, pair.beside_name):
                pair.run("ALTER DATABASE {} OWNER TO {}", name, pair.user or "")
            assert look_at_live(pair.server).may_rename == ()
            with pair.connect() as superuser, pytest.raises(RestoreError, match=f"may not end: pid {_pid(superuser)}"):
                pair.switch()
            with psycopg.connect(pair.server.conninfo()):
                assert pair.switch().ended_sessions == 1
            assert (pair.says(pair.name), pair.says(pair.keep_as)) == ("new", "old")
        finally:
            for name in (pair.name, pair.keep_as, pair.beside_name):
                if identify(made.server.with_database(name)) is not None:
                    pair.run("ALTER DATABASE {} OWNER TO postgres", name)
            pair.run("DROP ROLE {}", pair.user or "")


def test_live_facts(pair: Pair) -> None:
    """What a plan is made from."""
    pair.run("ALTER DATABASE {} SET work_mem TO '3MB'", pair.name)
    with pair.connect(application_name="shop web"):
        facts = look_at_live(pair.server)
    assert facts.identity == identify(pair.server)
    assert (facts.owner, facts.is_superuser, facts.connection_limit) == ("postgres", True, -1)
    assert facts.settings == (("", "work_mem=3MB"),)
    assert [each.application for each in facts.sessions] == ["shop web"]
    assert facts.size_bytes is not None
    assert facts.size_bytes > 1 << 20
    assert facts.free_bytes is not None


def test_only_one_operation_at_a_time(pair: Pair) -> None:
    """The lock is the environment's, and goes with the block."""
    with exclusive(pair.server, "shop", "production"):
        with exclusive(pair.server, "shop", "staging"):
            pass
        with (
            pytest.raises(RestoreError, match="another operation"),
            exclusive(pair.server, "shop", "production"),
        ):
            pass
    with exclusive(pair.server, "shop", "production"):
        pass


def test_a_database_that_lets_nobody_in_is_told(pair: Pair) -> None:
    """It is identified all the same."""
    pair.run("ALTER DATABASE {} ALLOW_CONNECTIONS false", pair.name)
    assert identify(pair.server) is not None
    assert "lets nobody in" in look_at_live(pair.server).may_rename[0]


def _sleep(session: Session) -> None:
    with pytest.raises(psycopg.OperationalError):
        session.execute("SELECT pg_sleep(60)")


def _pid(session: Session) -> int:
    return session.info.backend_pid


def _properties(pair: Pair) -> list[tuple[object, ...]]:
    return rows(
        pair.cluster.url(),
        "SELECT shobj_description(d.oid, 'pg_database'), d.datconnlimit, d.datdba::regrole::text, d.datacl::text, "
        "(SELECT array_agg(s.setrole::regrole || ': ' || s.setconfig::text ORDER BY s.setrole) "
        "   FROM pg_db_role_setting s WHERE s.setdatabase = d.oid) "
        f"FROM pg_database d WHERE d.datname = '{pair.name}'",
    )
