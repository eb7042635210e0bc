"""Restore checks and drills in Airflow as it really runs: on their own, approved, killed, failed, cleared up after."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from drills_in_airflow import (
    COMMAND_TASK,
    DRILL,
    ROWS,
    STEPS,
    TABLES,
    approve,
    await_gate,
    begin_drill,
    drill_of,
    drilled_site,
    edit,
    kill,
    leftovers,
    lingering,
    page,
    states,
    with_drills,
)
from fix_airflow import Airflow, await_true, running_airflow
from fix_environment import Site
from fix_postgres import execute
from holdfast.catalog.restore_checks import read_restore_check
from holdfast.evidence import read_closing, read_evidence
from holdfast.recovery.cluster import Cluster
from holdfast.values.ids import RestorePointId

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def site(pg18: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    url = pg18.create_database("drilled")
    execute(url, TABLES)
    yield drilled_site(tmp_path_factory.mktemp("site"), url)
    execute(pg18.url(), "DROP DATABASE drilled WITH (FORCE)")


@pytest.fixture(scope="module")
def airflow(pg18: Cluster, site: Site) -> Iterator[Airflow]:
    with running_airflow(pg18, site) as running:
        await_true(lambda: running.api.get(DRILL) is not None, 120, "the DAG is known")
        yield running


def test_new_restore_point_is_checked_by_itself(airflow: Airflow) -> None:
    """The nightly backup's event starts the check, which leaves a signed record; nothing decrypted is left."""
    nightly = airflow.trigger("nightly")
    assert airflow.end_of(nightly) == "success"
    checks = "dags/shop-production.restore_check/dagRuns"
    await_true(lambda: airflow.api.get(checks)["total_entries"], 60, "the event starts a check")
    (started,) = airflow.api.get(checks)["dag_runs"]
    run = f"{checks}/{started['dag_run_id']}"
    assert airflow.end_of(run) == "success", states(airflow, run)
    assert set(states(airflow, run).values()) == {"success"}
    id = airflow.site.ids()[-1]
    environment = airflow.site.environment()
    record = read_restore_check(environment.catalog, RestorePointId.parse(id), environment.verifier())
    assert record is not None and record.passed
    assert airflow.returned(run, "outcome")["outcome"] == "restorable"
    evidence = airflow.returned(run, "evidence")
    assert (evidence["verdict"], evidence["restore_point"], evidence["rto_seconds"]) == ("passed", id, 3600)
    assert leftovers(airflow) == []
    status, shown = page(airflow, run)
    assert status == 200
    assert "everything is as its manifest says" in shown and id in shown and evidence["evidence"] in shown
    status, report = page(airflow, run, "/evidence")
    assert status == 200
    assert id in report
    # A backup's run has none, and nobody sees any without being logged in.
    assert page(airflow, nightly, "/evidence")[0] == 404
    assert page(airflow, run, "/evidence", is_user=False)[0] == 401


def test_drill_is_approved_by_somebody_else(airflow: Airflow) -> None:
    """Who triggered it, why, and who agreed stand in the evidence; the recovery environment is gone before that."""
    run = begin_drill(airflow, media="all")
    await_gate(airflow, run)
    await_true(lambda: airflow.task(run, "remove_recovery")["state"] == "success", 60, "the environment is removed")
    assert leftovers(airflow) == []
    assert "It waits for approval" in page(airflow, run)[1]
    approve(airflow, run)
    assert airflow.end_of(run) == "success", states(airflow, run)
    drill, environment = drill_of(airflow, run), airflow.site.environment()
    evidence = read_evidence(environment, drill)
    assert (evidence.requested_by, evidence.reason, evidence.media) == ("dba", "the quarter", "all")
    assert [step.name for step in evidence.steps if step.name != "rto"] == STEPS
    closing = read_closing(environment, drill)
    assert closing is not None
    assert [given.approver for given in closing.approvals] == ["teamlead"]
    _, shown = page(airflow, run)
    assert "approved by teamlead" in shown
    status, report = page(airflow, run, "/evidence")
    assert status == 200
    assert "teamlead" in report


def test_worker_killed_in_each_task_converges(airflow: Airflow) -> None:
    """Kill -9 of each task's process, its server at work where it has one: each second attempt finishes its step."""
    linger = airflow.site.folder / "application/linger"
    linger.touch()
    run = begin_drill(airflow, "devops")
    for task_id in ("pick", *STEPS, "evidence", "remove_recovery"):
        if task_id == COMMAND_TASK:
            await_true(lingering, 120, "the command is at work", every_s=0.05)
        kill(airflow, run, task_id)
        if task_id == COMMAND_TASK:
            linger.unlink()
            assert not lingering()
    approve(airflow, run)
    kill(airflow, run, "close")
    assert airflow.end_of(run) == "success", states(airflow, run)
    evidence = read_evidence(airflow.site.environment(), drill_of(airflow, run))
    assert (evidence.verdict, evidence.findings) == ("passed", ())
    assert [step.name for step in evidence.steps if step.name != "rto"] == STEPS
    assert leftovers(airflow) == []


def test_failing_command_ends_the_drill_and_is_recorded(airflow: Airflow) -> None:
    """Nothing behind it runs, nobody is asked, the evidence says so, and the recovery environment is gone."""
    script = airflow.site.folder / "application/reconcile.sh"
    sound = script.read_text()
    script.write_text("echo the ledger does not balance; exit 3\n")
    try:
        run = begin_drill(airflow)
        assert airflow.end_of(run) == "failed"
    finally:
        script.write_text(sound)
    found = states(airflow, run)
    assert [found[step] for step in STEPS[-2:]] == ["failed", "upstream_failed"]
    assert (found["evidence"], found["approve"], found["close"]) == ("failed", "upstream_failed", "upstream_failed")
    assert found["remove_recovery"] == "success"
    assert airflow.task(run, "sh_reconcile_sh")["try_number"] == 1
    evidence = read_evidence(airflow.site.environment(), drill_of(airflow, run))
    assert (evidence.verdict, evidence.steps_not_run) == ("failed", ("queries",))
    assert leftovers(airflow) == []
    _, shown = page(airflow, run)
    assert "The restore failed" in shown
    assert "the ledger does not balance" in shown
    assert page(airflow, run, "/evidence")[0] == 200


def test_planted_query_fails_the_check_and_its_restore_point(airflow: Airflow) -> None:
    """A question whose answer is off by one row: the record beside the restore point says failed, and why."""
    wrong = {"orders": {"sql": "SELECT count(*) FROM orders", "expect": ROWS + 1}}
    drill = with_drills(airflow.site.folder)["drill"]
    edit(airflow.site, {"drill": drill | {"queries": wrong}})
    run = airflow.trigger("restore_check")
    assert airflow.end_of(run) == "failed"
    edit(airflow.site, {"drill": drill})
    found = states(airflow, run)
    assert (found["queries"], found["evidence"], found["outcome"]) == ("failed", "failed", "upstream_failed")
    assert found["remove_recovery"] == "success"
    id = airflow.site.ids()[-1]
    environment = airflow.site.environment()
    record = read_restore_check(environment.catalog, RestorePointId.parse(id), environment.verifier())
    assert record is not None and not record.passed
    assert leftovers(airflow) == []


def test_run_that_a_person_fails_leaves_nothing_decrypted(airflow: Airflow) -> None:
    """Marked as failed while a command is at work: it ends, and the recovery environment is removed all the same."""
    linger = airflow.site.folder / "application/linger"
    linger.touch()
    run = begin_drill(airflow)
    await_true(lingering, 120, "the command is at work")
    linger.unlink()
    airflow.api.patch(run, {"state": "failed"})
    await_true(lambda: not lingering(), 60, "the command is ended")
    await_true(lambda: states(airflow, run)["remove_recovery"] == "success", 90, "the teardown has run")
    assert leftovers(airflow) == []


def test_evidence_that_was_changed_is_not_shown(airflow: Airflow) -> None:
    """Whoever can write to the store, but not sign, cannot put a report of their own before people."""
    run = begin_drill(airflow)
    await_gate(airflow, run)
    key = airflow.site.environment().keys.evidence_object(drill_of(airflow, run), "report.html")
    report = airflow.site.store_folder / key
    report.chmod(0o600)
    report.write_text(report.read_text().replace("</html>", "<!-- all is well --></html>"))
    status, shown = page(airflow, run, "/evidence")
    assert status == 503
    assert "signature" in shown
    assert "all is well" not in shown
