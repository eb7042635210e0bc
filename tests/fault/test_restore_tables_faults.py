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

from failing_store import FailingStore, Moment
from fix_environment import MakeSite, Site
from fix_postgres import execute, rows
from holdfast.errors import ApprovalError, DatabaseUnavailable, StoreError
from holdfast.operation.plans import Plan
from holdfast.operation.tables import TablesRequest, apply_tables, sessions
from holdfast.values.ids import RestorePointId

_OPERATION = RestorePointId.parse("20261122T090000Z-restore_tables-4f9c2a")
_REQUEST = TablesRequest(tables=("parent", "child"))
_TABLES = """
CREATE TABLE parent (id int PRIMARY KEY, v text);
CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent);
INSERT INTO parent SELECT n, 'v' FROM generate_series(1, 20) n;
INSERT INTO child SELECT n, n FROM generate_series(1, 20) n
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
    assert [path.name for path in (tmp_path / "recovery").iterdir() if path.is_dir()] == []


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
    for phase in ("write", "compare public.parent again"):
        _kill_at(site, point, phase)
        assert rows(url, _BOTH) == edited, phase
    # What is kept by now is taken for what it is, and no longer where live has changed.
    assert len(_kept(site)) == 2
    execute(url, "UPDATE parent SET v = 'other' WHERE id = 1")
    _kill_at(site, point, "committed")
    assert rows(url, _BOTH) == wanted
    kept = _kept(site)
    assert [name.rpartition("/")[2] for name in kept] == [
        "previous-1.copy.zst.age",
        "previous-2-2.copy.zst.age",
        "previous-2.copy.zst.age",
    ]
    asked: list[Plan] = []
    outcome = apply_tables(environment, _OPERATION, point, _REQUEST, demand=asked.append)
    assert outcome.passed
    assert asked == []
    assert _kept(site) == kept
    assert set(kept) <= {str(fact) for fact in outcome.facts.values()}


def _kept(site: Site) -> list[str]:
    return [name for name in site.stored_files() if "/previous-" in name]


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

    def stop(_: Plan) -> None:
        raise ApprovalError("not yet")

    with pytest.raises(ApprovalError):
        apply_tables(replace(environment, store=whole), _OPERATION, point, _REQUEST, demand=stop)
    put = len(whole.calls) + 2  # after looking whether the object stands
    moments: tuple[Moment, ...] = ("before", "amid")
    for moment in moments:
        failing = FailingStore(environment.store, fail_at=put, moment=moment)
        with pytest.raises(StoreError):
            apply_tables(replace(environment, store=failing), _OPERATION, point, _REQUEST, demand=lambda _: None)
        assert failing.calls[-1][0] == "put"
        assert rows(url, _BOTH) == edited
    assert _kept(site) == []
