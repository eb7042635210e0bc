"""Restoring tables, disturbed: killed in every phase, kept waiting, a store that fails; live is as it was, or done."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from failing_store import FailingStore
from fix_environment import MakeSite, Site
from fix_postgres import execute, rows
from holdfast.errors import DatabaseUnavailable, StoreError
from holdfast.operation.tables import TablesRequest, apply_tables, plan_tables, sessions
from holdfast.recovery import recovery_root, remove_leftovers
from holdfast.values.ids import RestorePointId

_OPERATION = RestorePointId.parse("20261122T090000Z-restore_tables-4f9c2a")
_REQUEST = TablesRequest(tables=("parent", "child"))
_TABLES = """
CREATE TABLE parent (id int PRIMARY KEY, v text);
CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent);
INSERT INTO parent SELECT n, 'v' FROM generate_series(1, 20) n; INSERT INTO child SELECT n, n FROM generate_series(1, 20) n
"""
_EDITS = """
UPDATE parent SET v = 'w' WHERE id < 5; DELETE FROM child WHERE id > 15; DELETE FROM parent WHERE id > 18;
INSERT INTO parent VALUES (100, 'new'); INSERT INTO child VALUES (100, 100)
"""
_BOTH = "SELECT 'p', id, v FROM parent UNION ALL SELECT 'c', id, parent::text FROM child ORDER BY 1, 2"

# Kills itself where the phase of this name begins; "committed" is after all is done.
_KILLED = """
import os, signal, sys
from pathlib import Path
from holdfast.environment import open_environment
from holdfast.operation.tables import TablesRequest, apply_tables
from holdfast.progress import Silent
from holdfast.values.airflow_conn import EnvironmentConnections
from holdfast.values.ids import RestorePointId

class Deadly(Silent):
    def begin(self, phase, total_bytes=None):
        if phase == sys.argv[3]:
            os.kill(os.getpid(), signal.SIGKILL)

environment = open_environment(Path(sys.argv[1]), "production", EnvironmentConnections(os.environ))
apply_tables(environment, RestorePointId.parse("20261122T090000Z-restore_tables-4f9c2a"),
             RestorePointId.parse(sys.argv[2]), TablesRequest(tables=("parent", "child")),
             demand=lambda plan: None, progress=Deadly())
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(autouse=True)
def recovery_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("HOLDFAST_RECOVERY", str(tmp_path / "recovery"))
    yield
    remove_leftovers(recovery_root())


@pytest.fixture
def damaged(make_database: Callable[..., str], make_site: MakeSite) -> tuple[str, Site, RestorePointId]:
    """A live database that was edited since its restore point."""
    url = make_database(_TABLES)
    site = make_site(url)
    point = RestorePointId.parse(site.backup("snapshot"))
    return url, site, point


def test_killed_anywhere_live_is_as_it_was_or_done_and_a_rerun_converges(
    damaged: tuple[str, Site, RestorePointId],
) -> None:
    """Between the locks and the commit nothing shows; what was kept before is found again."""
    url, site, point = damaged
    wanted = rows(url, _BOTH)
    execute(url, _EDITS)
    edited = rows(url, _BOTH)
    environment = site.environment()
    plan = plan_tables(environment, point, _REQUEST)
    for phase in ("keep previous rows of public.parent", "write", "compare public.parent again"):
        _kill_at(site, point, phase)
        assert rows(url, _BOTH) == edited, phase
    kept = [name for name in site.stored_files() if "previous-" in name]
    assert len(kept) == 2
    _kill_at(site, point, "committed")
    assert rows(url, _BOTH) == wanted
    asked = []
    outcome = apply_tables(environment, _OPERATION, point, _REQUEST, demand=asked.append)
    assert outcome.passed
    assert asked == []
    assert [name for name in site.stored_files() if "previous-" in name] == kept
    assert set(kept) <= {str(fact) for fact in outcome.facts.values()}
    assert plan.sha256 != plan_tables(environment, point, _REQUEST).sha256


def _kill_at(site: Site, point: RestorePointId, phase: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, str(site.policy_file), str(point), phase],
        env=site.surroundings(HOLDFAST_RECOVERY=os.environ["HOLDFAST_RECOVERY"]),
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


def test_a_writer_that_does_not_end_is_named(
    damaged: tuple[str, Site, RestorePointId], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wait is short, and nothing is left of it; readers disturb nobody."""
    url, site, point = damaged
    execute(url, _EDITS)
    edited = rows(url, _BOTH)
    monkeypatch.setattr(sessions, "LOCK_TIMEOUT_S", 1)
    environment = site.environment()
    with psycopg.connect(url, application_name="nightly job") as writer:
        writer.execute("UPDATE parent SET v = v WHERE id = 1")
        with pytest.raises(DatabaseUnavailable, match=r"could not be locked.*nightly job, idle in transaction"):
            apply_tables(environment, _OPERATION, point, _REQUEST, demand=print)
        writer.rollback()
        writer.execute("SELECT * FROM parent")
        # Whoever writes while it is applied waits, and finds what it left.
        apply_tables(environment, _OPERATION, point, _REQUEST, demand=lambda _: None)
    assert rows(url, _BOTH) != edited


def test_a_store_that_fails_leaves_live_alone(damaged: tuple[str, Site, RestorePointId]) -> None:
    """No previous rows in the store, no write in live."""
    url, site, point = damaged
    execute(url, _EDITS)
    edited = rows(url, _BOTH)
    environment = site.environment()
    whole = FailingStore(environment.store)
    request = TablesRequest(tables=("parent", "child"), mode="merge")
    apply_tables(replace(environment, store=whole), _OPERATION, point, request, demand=lambda _: None)
    put = next(number for number, (call, _) in enumerate(whole.calls, 1) if call == "put")
    assert rows(url, _BOTH) != edited
    execute(url, "TRUNCATE parent, child; " + _TABLES.split(";", 3)[3].join(["INSERT INTO parent SELECT n, 'v' FROM generate_series(1, 20) n;", ""]))  # fmt: skip
    execute(url, _EDITS)
    other = RestorePointId.parse("20261122T100000Z-restore_tables-4f9c2a")
    for moment in ("before", "amid"):
        failing = FailingStore(environment.store, fail_at=put, moment=moment)
        with pytest.raises(StoreError):
            apply_tables(replace(environment, store=failing), other, point, request, demand=lambda _: None)
        assert rows(url, _BOTH) == edited
    assert not [name for name in site.stored_files() if str(other) in name]
