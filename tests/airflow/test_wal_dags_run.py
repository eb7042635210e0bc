"""The DAGs of point-in-time recovery, run for real: WAL streamed, a base backup, checks, and a recovery."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from airflow.models.asset import AssetEvent
from airflow.models.dagrun import DagRun
from airflow.sdk import DAG, Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from airflow.utils.session import create_session
from sqlalchemy import select

from dag_runs import DUE, returned, run_once, states
from fix_airflow import await_true
from fix_wal import MakeStreamed, Streamed
from gates_in_process import run_answered
from holdfast.evidence import read_closing, read_evidence
from holdfast.recovery.cluster import Cluster
from holdfast.values.ids import RestorePointId
from holdfast_airflow.assets import wal_gaps
from holdfast_airflow.operators import StreamWalOperator, base_backup, wal_stream

pytestmark = pytest.mark.timeout(300)

TIERS = "wal_check: {}\npitr_check: {}"
NO_BASE = "there is no base backup yet"
Adopt = Callable[..., DAG]


@pytest.fixture
def streamed(make_streamed: MakeStreamed, wal18: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Streamed:
    """An environment whose WAL has never been streamed, in runs of a few seconds."""
    monkeypatch.setattr(wal_stream, "_FIRST_S", 3.0)
    monkeypatch.setenv("HOLDFAST_SPOOL", str(tmp_path / "spool"))
    monkeypatch.setenv("HOLDFAST_RECOVERY", str(tmp_path / "recovery"))
    made = make_streamed(wal18, wal={"run": "6s"}, tiers=TIERS)
    made.write()
    return made


def gaps_told(run: DagRun) -> list[str]:
    """The reasons of the events by which a run asks for a base backup."""
    with create_session() as session:
        told = select(AssetEvent.extra).where(
            AssetEvent.source_dag_id == run.dag_id, AssetEvent.source_run_id == run.run_id
        )
        return [extra["reason"] for extra in session.scalars(told)]


def test_first_run_asks_for_a_base_backup_and_the_next_one_streams_on(streamed: Streamed, adopt: Adopt) -> None:
    """It ends early for that; nothing is asked for twice, and the spool is the environment's own."""
    dag = adopt(streamed.site, "wal")
    first = run_once(dag)
    assert first.state == "success"
    told = returned(first, "stream_wal")
    assert told["partials"] + told["segments"] > 0 and told["gap"] is None
    assert told["seconds"] < 6
    assert gaps_told(first) == [NO_BASE]
    streamed.write()
    second = run_once(dag, DUE + timedelta(hours=1))
    assert (second.state, gaps_told(second)) == ("success", [])
    assert returned(second, "stream_wal")["seconds"] > 6
    assert [path.name for path in (streamed.site.folder.parent / "spool").iterdir()] == [
        f"shop.production.{streamed.slot}"
    ]


def test_base_backup_is_committed_checked_and_recovered(streamed: Streamed, adopt: Adopt) -> None:
    """Beside a streamer the base backup gets its WAL; then every check of it passes, and people agree to a drill."""
    dag = adopt(streamed.site, "base_backup")
    with streamed.streaming():
        run = run_once(dag)
        # So that there is a window to draw an instant from: it ends with the last marker that is stored.
        for _ in range(4):
            streamed.write()
            time.sleep(1)
        streamed.switch()
    assert run.state == "success", states(run)
    facts, environment = returned(run, "commit_base_backup"), streamed.site.environment()
    id = RestorePointId.parse(returned(run, "base_backup"))
    assert (facts["base_backup"], facts["kind"]) == (str(id), "full")
    assert environment.base_catalog.entry(id).is_committed
    assert returned(run, "expire")["kept"] == 0
    again = run_once(dag)
    assert (again.state, returned(again, "commit_base_backup")["base_backup"]) == ("success", str(id))

    checked = run_once(adopt(streamed.site, "wal_check"))
    assert (checked.state, returned(checked, "wal_check")["ok"]) == ("success", True)
    tried = run_once(adopt(streamed.site, "pitr_check"))
    assert tried.state == "success", states(tried)
    evidence = read_evidence(environment, RestorePointId.parse(returned(tried, "pick")))
    assert (evidence.kind, evidence.verdict, evidence.restore_point) == ("pitr_check", "passed", str(id))

    drilled, seen = run_answered(adopt(streamed.site, "pitr_drill"), reason="the quarter")
    assert drilled.state == "success", states(drilled)
    drill = RestorePointId.parse(returned(drilled, "pick"))
    closing = read_closing(environment, drill)
    assert closing is not None and [given.approver for given in closing.approvals] == ["emil"]
    assert "PASSED" in seen["approve"]


def test_base_backup_without_its_wal_is_none(streamed: Streamed, adopt: Adopt, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody streams: the commit names what is missing when its time is over, and nothing exists."""
    streamed.site.edit_policy("run: 6s", "run: 6s, wait_for_wal: 1s")
    monkeypatch.setattr(base_backup, "_LOOK", "1s")
    dag = adopt(streamed.site, "base_backup")
    run = run_once(dag)
    found = states(run)
    assert (found["base_backup"], found["commit_base_backup"], found["expire"]) == (
        "success",
        "failed",
        "upstream_failed",
    )
    environment = streamed.site.environment()
    assert [entry.is_committed for entry in environment.base_catalog.entries()] == [False]


def test_damaged_wal_fails_the_check(streamed: Streamed, adopt: Adopt) -> None:
    """For good, with the piece's name; what is found stands on the run's page all the same."""
    dag = adopt(streamed.site, "base_backup")
    with streamed.streaming():
        assert run_once(dag).state == "success"
    catalog = streamed.site.environment().wal_catalog
    piece = [piece for piece in catalog.pieces() if piece.kind == "segment"][-1]
    file = streamed.site.store_folder / catalog.key(piece)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    run = run_once(adopt(streamed.site, "wal_check"))
    assert run.state == "failed"
    told = returned(run, "wal_check")
    assert told["ok"] is False
    assert any(piece.name in fault for fault in told["faults"])


def streamer(streamed: Streamed) -> StreamWalOperator:
    """The operator by itself."""
    place = {"policy_file": str(streamed.site.policy_file), "environment": "production"}
    return StreamWalOperator(task_id="stream_wal", gaps=wal_gaps("shop", "production"), **place)


def test_sigterm_ends_the_run_soon_and_well(streamed: Streamed, adopt: Adopt) -> None:
    """Airflow calls on_kill in the signal's handler: what has arrived is stored, and the run is no failure."""
    streamed.site.edit_policy("run: 6s", "run: 1h")
    adopt(streamed.site, "wal")
    operator = streamer(streamed)
    asked = SimpleNamespace(after=lambda moment: [SimpleNamespace(extra={"reason": NO_BASE})])
    context = cast(Context, {"inlet_events": {operator.gaps: asked}})
    with ThreadPoolExecutor(1) as beside:
        running = beside.submit(operator.execute, context)
        await_true(lambda: streamed.slots() != [], 20, "it streams")
        time.sleep(1)
        began = time.monotonic()
        operator.on_kill()
        told = running.result(20)
    assert time.monotonic() - began < 8
    assert told["stored_lsn"] is not None and told["partials"] + told["segments"] > 0
    assert streamed.sql(f"SELECT active_pid FROM pg_replication_slots WHERE slot_name = '{streamed.slot}'") == [(None,)]


def test_refusal_is_tried_again_with_its_hint(streamed: Streamed, adopt: Adopt) -> None:
    """Two streamers at once: the second one fails as what may pass, or its DAG would begin anew each second."""
    adopt(streamed.site, "wal")
    with streamed.streaming():
        await_true(lambda: streamed.slots() != [], 20, "the first one streams")
        with pytest.raises(AirflowException, match=r"already being streamed .* tried again") as refused:
            streamer(streamed).execute(cast(Context, {}))
    assert not isinstance(refused.value, AirflowFailException)
