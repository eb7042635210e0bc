"""Whatever happens amid a switch, the live name leads to a whole database: the old one, or the new one."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from fix_environment import PROJECT
from fix_postgres import FAST, execute, rows
from holdfast.errors import RestoreError
from holdfast.postgres.databases import DatabaseIdentity, identify, look_at_live
from holdfast.postgres.replaced import drop_replaced, list_replaced
from holdfast.postgres.switching import find_state, switch
from holdfast.postgres.wheel import wheel_folder
from holdfast.recovery.cluster import Cluster
from live_pair import NOW, Pair, make_pair, marker

# What somebody hears who came while the renaming held the door, and who is let in when asking again.
_JUST_RENAMED = "seems to have just been dropped or renamed"

SWITCHING = """
import sys
from datetime import datetime
from holdfast.postgres.conninfo import Target
from holdfast.postgres.databases import identify
from holdfast.postgres.switching import switch
address, beside, keep_as, marker, now = (sys.stdin.readline().strip() for _ in range(5))
server = Target.parse(address)
live, other = identify(server), identify(server.with_database(beside))
print("ready", flush=True)
sys.stdin.readline()
at = datetime.fromisoformat(now)
switch(server, live=live, beside=other, keep_as=keep_as, end_sessions_s=10, marker=marker, now=at)
"""


@pytest.fixture(params=["18", "15"])
def pair(request: pytest.FixtureRequest, pg18: Cluster, pg15: Cluster) -> Iterator[Pair]:
    """A live database and one beside it, on each server in turn."""
    with make_pair({"18": pg18, "15": pg15}[request.param]) as made:
        yield made


@pytest.fixture
def pair18(pg18: Cluster) -> Iterator[Pair]:
    """The same, where one server tells enough."""
    with make_pair(pg18) as made:
        yield made


class Application:
    """Asks the live name again and again, from its own thread, and keeps what it heard."""

    def __init__(self, pair: Pair) -> None:
        self._pair = pair
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.answers: list[str] = []
        self.missing: list[str] = []
        self.longest_s = 0.0

    def __enter__(self) -> Application:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join(30)

    def _run(self) -> None:
        last = time.monotonic()
        while not self._done.is_set():
            try:
                with closing(psycopg.connect(self._pair.server.conninfo(), autocommit=True)) as session:
                    for _ in range(5):
                        row = session.execute("SELECT which FROM this").fetchone()
                        session.execute("INSERT INTO this SELECT which FROM this LIMIT 1")
                        self.answers.append(str(row and row[0]))
                        self.longest_s = max(self.longest_s, time.monotonic() - last)
                        last = time.monotonic()
            except psycopg.Error as error:
                if "does not exist" in str(error) and _JUST_RENAMED not in str(error):
                    self.missing.append(str(error))


def test_killed_switch_leaves_old_or_new_under_the_name(pair: Pair) -> None:
    """SIGKILL at random moments while the application writes; a rerun converges."""
    live, beside = pair.identity(pair.name), pair.identity(pair.beside_name)
    chance = random.Random(7)
    seen = set()
    with Application(pair) as application:
        for _ in range(4):
            _killed_after(pair, chance.uniform(0.0, 0.25))
            # The server may still be at the commit that it was asked for, or has yet to find that nobody listens.
            _await_free(pair, live.oid)
            state = find_state(pair.server, live=live, beside=beside, keep_as=pair.keep_as)
            seen.add(state)
            if state == "done":
                break
        done = pair.switch(live=live, beside=beside)
        _await(lambda: application.answers[-1:] == ["new"])
    assert not application.missing
    assert find_state(pair.server, live=live, beside=beside, keep_as=pair.keep_as) == "done"
    assert (pair.says(pair.name), pair.says(pair.keep_as)) == ("new", "old")
    assert done.is_new == ("done" not in seen)
    changes = [one for one, next in zip(application.answers, application.answers[1:], strict=False) if one != next]
    assert changes == ["old"]


def test_name_is_away_for_less_than_a_few_seconds(pair: Pair) -> None:
    """Measured by the application, that reconnects as soon as it is cut off, with sessions of others about."""
    others = [psycopg.connect(pair.server.conninfo(), autocommit=True) for _ in range(15)]
    with Application(pair) as application:
        time.sleep(0.3)
        done = pair.switch()
        _await(lambda: application.answers[-1:] == ["new"])
    for session in others:
        session.close()
    assert done.ended_sessions >= 15
    assert done.unavailable_seconds < 3
    assert application.longest_s < 4
    assert not application.missing
    assert application.answers[-1] == "new"


def test_a_session_that_does_not_end_leaves_everything_as_it_was(pair: Pair) -> None:
    """A stopped server process obeys nobody: it is named, and the application goes on with the old database."""
    stuck = psycopg.connect(pair.server.conninfo(), autocommit=True, application_name="stuck worker")
    pid = stuck.info.backend_pid
    os.kill(pid, signal.SIGSTOP)
    try:
        started = time.monotonic()
        with pytest.raises(RestoreError, match=rf"do not end: pid {pid} \(stuck worker") as caught:
            pair.switch(end_sessions_s=1)
        assert time.monotonic() - started < 12
        assert caught.value.hint is not None
        assert caught.value.hint.startswith("Nothing was changed")
        assert pair.says(pair.name) == "old"
        assert identify(pair.server.with_database(pair.beside_name)) is not None
    finally:
        os.kill(pid, signal.SIGCONT)
        stuck.close()
    assert pair.switch().is_new
    assert pair.says(pair.name) == "new"


def test_a_session_that_ends_late_is_waited_for(pair18: Pair) -> None:
    """Meanwhile the others are served."""
    stuck = psycopg.connect(pair18.server.conninfo(), autocommit=True)
    pid = stuck.info.backend_pid
    os.kill(pid, signal.SIGSTOP)
    waking = threading.Timer(5.5, os.kill, (pid, signal.SIGCONT))
    waking.start()
    try:
        assert pair18.switch(end_sessions_s=20).is_new
    finally:
        waking.cancel()
        os.kill(pid, signal.SIGCONT) if Path(f"/proc/{pid}").exists() else None
        stuck.close()
    assert pair18.says(pair18.name) == "new"


def test_of_two_switches_at_once_one_is_refused(pair: Pair) -> None:
    """Two restores were made beside the live one; the second finds that it is no longer the live one."""
    pair.run("CREATE DATABASE {} TEMPLATE {}", f"{pair.beside_name}_b", pair.beside_name)
    live = pair.identity(pair.name)
    outcomes: list[object] = []

    def go(beside: DatabaseIdentity, keep_as: str) -> None:
        try:
            outcomes.append(
                switch(
                    pair.server,
                    live=live,
                    beside=beside,
                    keep_as=keep_as,
                    end_sessions_s=10,
                    marker=marker(pair.name),
                    now=NOW,
                )
            )
        except RestoreError as error:
            outcomes.append(error)

    both = [
        threading.Thread(target=go, args=(pair.identity(name), f"{pair.keep_as}_{number}"))
        for number, name in enumerate((pair.beside_name, f"{pair.beside_name}_b"))
    ]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join(40)
    refused = [outcome for outcome in outcomes if isinstance(outcome, RestoreError)]
    assert (len(outcomes), len(refused)) == (2, 1), outcomes
    assert "not those of the plan" in refused[0].message
    assert pair.says(pair.name) == "new"


def test_a_client_that_hangs_amid_the_transaction_does_not_keep_the_application_out(pair18: Pair) -> None:
    """The worker was stopped, not killed: the server ends its transaction."""
    live = pair18.identity(pair18.name)
    with _started(pair18) as child:
        try:
            _go(child)
            _await_lock(pair18, live.oid)
            os.kill(child.pid, signal.SIGSTOP)
            started = time.monotonic()
            _await_free(pair18, live.oid)
            assert time.monotonic() - started < 8
        finally:
            child.kill()
    assert rows(pair18.cluster.url(pair18.name), "SELECT 1") == [(1,)]
    assert pair18.says(pair18.name) in ("old", "new")


def _started(pair: Pair) -> subprocess.Popen[bytes]:
    """A process that will switch when told to."""
    child = subprocess.Popen(
        [sys.executable, "-c", SWITCHING],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(PROJECT / "include")},
    )
    assert child.stdin is not None
    assert child.stdout is not None
    lines = (pair.server.conninfo(), pair.beside_name, pair.keep_as, marker(pair.name), NOW.isoformat())
    child.stdin.write("\n".join(lines).encode() + b"\n")
    child.stdin.flush()
    assert child.stdout.readline() == b"ready\n"
    return child


def _go(child: subprocess.Popen[bytes]) -> None:
    assert child.stdin is not None
    child.stdin.write(b"go\n")
    child.stdin.flush()


def _killed_after(pair: Pair, seconds: float) -> None:
    with _started(pair) as child:
        _go(child)
        time.sleep(seconds)
        child.kill()


_LOCKED = (
    "SELECT count(*) FROM pg_locks WHERE locktype = 'object' AND classid = 'pg_database'::regclass "
    "AND objid = {} AND mode = 'AccessExclusiveLock' AND granted"
)


def _await_lock(pair: Pair, oid: int) -> None:
    """Until somebody holds it, or did: the whole switch may be over between two looks."""
    deadline = time.monotonic() + 10
    with closing(psycopg.connect(pair.cluster.url(), autocommit=True)) as session:
        while time.monotonic() < deadline:
            row = session.execute(_LOCKED.format(oid).encode()).fetchone()
            if row != (0,) or identify(pair.server.with_database(pair.keep_as)) is not None:
                return


def _await_free(pair: Pair, oid: int) -> None:
    deadline = time.monotonic() + 20
    with closing(psycopg.connect(pair.cluster.url(), autocommit=True)) as session:
        while session.execute(_LOCKED.format(oid).encode()).fetchone() != (0,):
            assert time.monotonic() < deadline, "the lock is still held"
            time.sleep(0.1)


def test_a_slot_in_use_hinders_and_an_idle_one_stays_with_the_old_database(tmp_path: Path) -> None:
    """Whoever replicates from the live database must be made anew, and be told so before."""
    with (
        Cluster(tmp_path / "logical", wheel_folder(), config={**FAST, "wal_level": "logical"}) as cluster,
        make_pair(cluster) as pair,
    ):
        execute(cluster.url(pair.name), "CREATE PUBLICATION everything FOR ALL TABLES")
        execute(cluster.url(pair.name), "SELECT pg_create_logical_replication_slot('warehouse', 'pgoutput')")
        pulling = psycopg.connect(pair.server.conninfo(), autocommit=True, replication="database")
        with closing(pulling):
            options = b"(proto_version '1', publication_names 'everything')"
            pulling.pgconn.send_query(b"START_REPLICATION SLOT warehouse LOGICAL 0/0 " + options)
            _await(lambda: any(slot.is_active for slot in look_at_live(pair.server).slots))
            assert look_at_live(pair.server).publications == ("everything",)
            with pytest.raises(RestoreError, match="slot warehouse is in use"):
                pair.switch()
            assert pair.says(pair.name) == "old"
        _await(lambda: not any(slot.is_active for slot in look_at_live(pair.server).slots))
        assert pair.switch().is_new
        assert rows(cluster.url(), "SELECT database::text FROM pg_replication_slots") == [(pair.keep_as,)]
        (kept,) = list_replaced(pair.server, pair.name)
        drop_replaced(pair.server, kept)


def _await(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)
