"""Connecting to real servers: errors that say what is wrong, what may be tried again, and no password."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from urllib.parse import quote

import psycopg
import pytest

from fix_postgres import execute, rows
from holdfast.errors import DatabaseError, DatabaseUnavailable, HoldfastError, UsageError
from holdfast.postgres.conninfo import Target
from holdfast.postgres.session import DatabaseMissing, Session, connect, pinned, translated
from holdfast.recovery.cluster import Cluster
from holdfast.recovery.loopback import unused_port

Make = Callable[..., str]

WORD = "p@:/%#? ü'\"\\ word"


def refusal(target: Target) -> HoldfastError:
    """The error of a connection that must not come about; it holds no secret in any way."""
    with pytest.raises(HoldfastError) as caught:
        connect(target)
    error = caught.value
    shown = f"{error!r} {error} {error.hint} {error.__cause__!r} {error.__context__!r} {target!r}"
    assert not any(spelling in shown for spelling in target.secrets)
    return error


def run(session: Session, target: Target, statement: str) -> None:
    """Execute as the engine does."""
    with translated(target, "counting rows"):
        session.execute(statement.encode())


def test_session_is_in_utc_and_named(database: str) -> None:
    """Whatever the server's defaults are."""
    with connect(Target.parse(database + "?options=-ctimezone%3DAsia/Tokyo")) as session:
        row = session.execute("SELECT now(), current_setting('application_name')").fetchone()
    assert row is not None
    assert row[0].utcoffset().total_seconds() == 0
    assert row[1] == "holdfast"


@pytest.mark.parametrize("name", ["shop", 'it\'s = "odd" ü', "x" * 63])
def test_odd_passwords_users_and_databases(pg18: Cluster, make_database: Make, name: str) -> None:
    """All at once, percent-encoded as hosting services give them."""
    url = make_database(name=name)
    doubled = WORD.replace("'", "''")
    role = name.replace('"', '""')
    execute(url, f"""CREATE ROLE "{role}" LOGIN PASSWORD '{doubled}'""")
    login = f"{quote(name, safe='')}:{quote(WORD, safe='')}"
    try:
        with connect(Target.parse(f"postgres://{login}@127.0.0.1:{pg18.port}/{quote(name, safe='')}")) as session:
            assert session.execute("SELECT current_user, current_database()").fetchone() == (name, name)
    finally:
        execute(url, f'DROP ROLE "{role}"')


def test_wrong_password(pg18: Cluster) -> None:
    """Somebody has to correct the connection."""
    error = refusal(Target.parse(pg18.url(password=WORD)))
    assert isinstance(error, UsageError)
    assert "postgres@127.0.0.1" in error.message
    assert "authentication failed" in error.message


@pytest.mark.parametrize("password", ["does not exist", "FATAL", "refused"])
def test_missing_database_is_told_from_all_else(pg18: Cluster, password: str) -> None:
    """Even when the password is a word of the message; and it is not yet an error of the login."""
    execute(pg18.url(), f"CREATE ROLE wordy LOGIN PASSWORD '{password}'")
    try:
        error = refusal(Target.parse(pg18.url("nowhere", "wordy", password)))
    finally:
        execute(pg18.url(), "DROP ROLE wordy")
    assert isinstance(error, DatabaseMissing)


def test_unknown_role_and_role_without_login(pg18: Cluster) -> None:
    """Both are wrong connections."""
    execute(pg18.url(), "CREATE ROLE sleeper PASSWORD 'hunter2'")
    try:
        assert isinstance(refusal(Target.parse(pg18.url(user="sleeper", password="hunter2"))), UsageError)
        assert isinstance(refusal(Target.parse(pg18.url(user="nobody-here", password="hunter2"))), UsageError)
    finally:
        execute(pg18.url(), "DROP ROLE sleeper")


def test_nobody_listens() -> None:
    """It may come back."""
    error = refusal(Target.parse(f"postgresql://u:hunter2@127.0.0.1:{unused_port()}/d"))
    assert isinstance(error, DatabaseUnavailable)
    assert "refused" in error.message


def test_server_that_never_answers() -> None:
    """The wait ends."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        error = refusal(Target.parse(f"postgresql://u:hunter2@127.0.0.1:{port}/d?connect_timeout=2"))
    assert isinstance(error, DatabaseUnavailable)


def test_server_that_hangs_up() -> None:
    """As a proxy does whose server is away."""
    with socket.create_server(("127.0.0.1", 0)) as rude:

        def hang_up() -> None:
            rude.accept()[0].close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        error = refusal(Target.parse(f"postgresql://u:hunter2@127.0.0.1:{rude.getsockname()[1]}/d?sslmode=disable"))
        thread.join()
    assert isinstance(error, DatabaseUnavailable)


def test_unknown_host() -> None:
    """A misspelt host; where the resolver is away, that may be a matter of time."""
    error = refusal(Target.parse("postgresql://u:hunter2@no-such-host.invalid/d"))
    assert isinstance(error, UsageError | DatabaseUnavailable)
    assert "no-such-host.invalid" in error.message


def test_encryption_that_the_server_lacks(pg18: Cluster) -> None:
    """The demo server has no certificate."""
    error = refusal(Target.parse(pg18.url() + "?sslmode=require"))
    assert isinstance(error, UsageError)
    assert "SSL" in error.message


def test_server_that_is_full(make_database: Make) -> None:
    """The limit of a role or database stands for the server's."""
    url = make_database()
    name = Target.parse(url).database
    execute(url, "CREATE ROLE narrow LOGIN PASSWORD 'hunter2' CONNECTION LIMIT 1")
    target = Target.parse(f"postgresql://narrow:hunter2@{url.rpartition('@')[2].rpartition('/')[0]}/{name}")
    try:
        with connect(target):
            assert isinstance(refusal(target), DatabaseUnavailable)
    finally:
        execute(url, "DROP ROLE narrow")


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("SELECT 1/0", DatabaseError),
        ("CREATE TABLE pg_catalog.x ()", DatabaseError),
        ("SELECT pg_terminate_backend(pg_backend_pid())", DatabaseUnavailable),
        ("SET statement_timeout = 10; SELECT pg_sleep(5)", DatabaseUnavailable),
        ("SELECT * FROM vanished", DatabaseUnavailable),
    ],
)
def test_failed_queries(database: str, statement: str, kind: type[HoldfastError]) -> None:
    """What may work another time is transient; the message says which database and what for."""
    target = Target.parse(database)
    with connect(target) as session, pytest.raises(kind, match=f"{target.database}: counting rows: ") as caught:
        run(session, target, statement)
    assert isinstance(caught.value.__cause__, psycopg.Error)


def test_denied_query_hints_at_the_role(pg18: Cluster, database: str) -> None:
    """By its name."""
    execute(database, "CREATE ROLE denied LOGIN PASSWORD 'hunter2'; CREATE TABLE t ()")
    target = Target.parse(pg18.url(Target.parse(database).database, "denied", "hunter2"))
    try:
        with connect(target) as session, pytest.raises(DatabaseError, match="permission denied") as caught:
            run(session, target, "SELECT * FROM t")
        assert 'role "denied"' in (caught.value.hint or "")
    finally:
        execute(database, "DROP ROLE denied")


def test_several_hosts_are_pinned_to_the_one_that_answered(pg18: Cluster, database: str) -> None:
    """A snapshot of one server is unknown to the next."""
    name = Target.parse(database).database
    hosts = f"127.0.0.1:{unused_port()},localhost:{pg18.port}"
    target = Target.parse(f"postgresql://postgres:{pg18.password}@{hosts}/{name}")
    with connect(target) as session:
        found = pinned(target, session)
    assert (found.host, found.port) == ("localhost", str(pg18.port))
    assert found.get("hostaddr") in ("127.0.0.1", "::1")
    assert rows(found.conninfo(), "SELECT 1") == [(1,)]


def test_unix_sockets_are_pinned_too(tmp_path_factory: pytest.TempPathFactory, pg18: Cluster) -> None:
    """A folder is no address."""
    folder = tmp_path_factory.mktemp("sock")
    with Cluster(folder, pg18.bin, port=None, config={"fsync": "off"}) as cluster:
        target = Target.parse(cluster.url())
        with connect(target) as session:
            found = pinned(target, session)
        assert found.host == str(cluster.socket_dir)
        assert found.get("hostaddr") is None
        assert rows(found.conninfo(), "SHOW listen_addresses") == [("",)]
