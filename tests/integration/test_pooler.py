"""Transaction poolers are recognised and refused; session poolers and direct connections are not."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from fix_postgres import execute
from holdfast.errors import DatabaseUnavailable, UsageError
from holdfast.postgres import pooler
from holdfast.postgres.conninfo import Target
from holdfast.postgres.pooler import Pooling, require_direct
from holdfast.postgres.snapshot import exported_snapshot
from holdfast.process.child import Command, base_environment
from holdfast.process.supervision import Child
from holdfast.recovery.account import server_account
from holdfast.recovery.cluster import Cluster
from holdfast.recovery.loopback import unused_port

CONFIG = """\
[databases]
* = host=127.0.0.1 port={port} user=pooled password={password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = trust
auth_file = {users}
pool_mode = {mode}
default_pool_size = {size}
ignore_startup_parameters = extra_float_digits
"""

PASSWORD = "pooled-secret"

Pool = Callable[..., Target]


@pytest.fixture
def pool(pg18: Cluster, tmp_path: Path) -> Iterator[Pool]:
    """Starts PgBouncer in a mode before a database of 18."""
    running: list[Child] = []
    execute(pg18.url(), f"CREATE ROLE pooled LOGIN SUPERUSER PASSWORD '{PASSWORD}'")

    def start(mode: str, url: str, size: int = 10) -> Target:
        listen = unused_port()
        account = server_account()
        users, config = tmp_path / "users.txt", tmp_path / "pgbouncer.ini"
        account.write_secret(users, '"pooled" ""\n')
        values = {"port": pg18.port, "password": PASSWORD, "listen": listen, "users": users, "mode": mode, "size": size}
        account.write_secret(config, CONFIG.format(**values))
        argv = ("pgbouncer", "--quiet", str(config))
        environment = base_environment() | {"PATH": "/usr/sbin:/usr/bin:/bin"}
        running.append(Child(Command(argv, environment, privileges=account.privileges(tmp_path))))
        await_port(listen, running[-1])
        name = quote(urlsplit(url).path.lstrip("/"), safe="")
        return Target.parse(f"postgresql://pooled@127.0.0.1:{listen}/{name}")

    yield start
    for child in running:
        child.end()
    execute(pg18.url(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'pooled'")
    execute(pg18.url(), "DROP ROLE pooled")


def await_port(port: int, child: Child) -> None:
    """Wait until the port answers."""
    for _ in range(200):
        assert child.is_running(), child.stderr
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"PgBouncer did not come up: {child.stderr}")


def test_direct_connection_is_allowed(database: str) -> None:
    """Nothing stands between."""
    assert require_direct(Target.parse(database)) is Pooling.NONE


@pytest.mark.parametrize("size", [1, 10])
def test_transaction_pooler_is_refused(pool: Pool, database: str, size: int) -> None:
    """PgBouncer in transaction mode is refused with the advice to connect directly, and without its password."""
    with pytest.raises(UsageError, match="transaction mode") as caught:
        require_direct(pool("transaction", database, size))
    assert "direct connection" in (caught.value.hint or "")
    assert PASSWORD not in str(caught.value)


def test_statement_pooler_is_refused(pool: Pool, database: str, caplog: pytest.LogCaptureFixture) -> None:
    """Statement mode does not even allow transactions; nobody logs that, which would show beside the error."""
    with pytest.raises(UsageError, match="pooler"):
        require_direct(pool("statement", database))
    assert not caplog.records


def test_session_pooler_is_allowed_and_works(pool: Pool, database: str) -> None:
    """In session mode a snapshot can be exported and counted in."""
    execute(database, "CREATE TABLE t (a int); INSERT INTO t SELECT generate_series(1, 7)")
    target = pool("session", database)
    assert require_direct(target) is Pooling.SESSION
    with exported_snapshot(target) as snapshot:
        assert snapshot.count(workers=2).rows == 7


def test_session_pooler_without_a_second_connection_is_named(
    pool: Pool, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pool of one would make the dump wait for ever."""
    monkeypatch.setattr(pooler, "_WAIT_S", 0.5)
    with pytest.raises(DatabaseUnavailable, match="no second connection"):
        require_direct(pool("session", database, 1))


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://u@ep-cool-1-pooler.eu-central-1.aws.neon.tech/db",
        "postgresql://u.ref@aws-0-eu-central-1.pooler.supabase.com:6543/postgres",
        "postgresql://u@db.ref.supabase.co:6543/postgres",
    ],
)
def test_known_poolers_are_refused_by_name(address: str) -> None:
    """Their addresses tell, before anything is connected."""
    with pytest.raises(UsageError, match="pools transactions"):
        require_direct(Target.parse(address))
