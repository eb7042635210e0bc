"""Restore checks and drills in Airflow as it really runs: on their own, approved, killed, failed, cleared up after."""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from fix_airflow import Airflow, app_site, await_true, command_line, is_alive, running_airflow
from fix_environment import Site
from fix_postgres import execute
from holdfast.catalog.restore_checks import read_restore_check
from holdfast.evidence import read_closing, read_evidence
from holdfast.recovery.cluster import Cluster
from holdfast.values.ids import RestorePointId
from holdfast_embedded.airflow.api import AirflowApi
from holdfast_embedded.process_tree import descendants

pytestmark = pytest.mark.timeout(900)

ROWS = 200_000
TABLES = f"""
CREATE TABLE orders AS SELECT n AS id, md5(n::text) AS body FROM generate_series(1, {ROWS}) n;
ALTER TABLE orders ADD PRIMARY KEY (id);
CREATE TABLE media_files (path text PRIMARY KEY);
INSERT INTO media_files SELECT 'courses/' || n || '.txt' FROM generate_series(1, 5) n;
"""
# Retries at once: half a minute is right for people, but long for a test with a dozen of them.
MODULE = """
from datetime import timedelta

from holdfast_dags import protect, tier_dag

tier_dag._RETRIES |= {"retry_delay": timedelta(seconds=1), "retry_exponential_backoff": 1}
globals().update(protect(__file__))  # Airflow looks for this word: DAG
"""
# Prove that the restored application is there; linger if asked to, so that the test can catch it at work.
COMMAND = """#!/bin/sh
if [ -e linger ]; then sleep 119; fi
test -n "$DATABASE_URL" && test "$PAYMENTS_ENABLED" = false && test -f "$STORAGE_PATH/courses/1.txt" && echo reconciled
"""
STEPS = [
    "recovery_environment",
    "restore_database",
    "check_database",
    "restore_media",
    "recovery_settings",
    "sh_reconcile_sh",
    "queries",
]
COMMAND_TASK = "sh_reconcile_sh"


@pytest.fixture(scope="module")
def site(pg18: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """An app with a table, a few uploads, a command of its own and a question, restored below a folder of the test."""
    url = pg18.create_database("drilled")
    execute(url, TABLES)
    folder = tmp_path_factory.mktemp("site")
    for number in range(1, 6):
        (folder / "uploads/courses").mkdir(parents=True, exist_ok=True)
        (folder / f"uploads/courses/{number}.txt").write_text(f"lesson {number}")
    (folder / "application").mkdir()
    (folder / "application/reconcile.sh").write_text(COMMAND)
    made = app_site(folder, {"AIRFLOW_CONN_SHOP_DB": url, "HOLDFAST_RECOVERY": str(folder / "recovery")})
    made.policy_file.with_suffix(".py").write_text(MODULE)
    edit(made, _with_drills(folder))
    made.backup()
    yield made
    execute(pg18.url(), "DROP DATABASE drilled WITH (FORCE)")


def _with_drills(folder: Path) -> dict[str, Any]:
    tiers = {"nightly": {"keep": "35d"}, "restore_check": {}, "restore_drill": {"schedule": "0 9 1 1,4,7,10 *"}}
    return {
        "tiers": tiers,
        "targets": {"rpo": "24h", "rto": "1h"},
        "media": {"source": f"file://{folder}/uploads"},
        "media_references": "SELECT path FROM media_files",
        "drill": {
            "app_dir": str(folder / "application"),
            "commands": ["sh reconcile.sh"],
            "env": {"PAYMENTS_ENABLED": "false", "PATH": os.environ["PATH"]},
            "queries": {"orders": {"sql": "SELECT count(*) FROM orders", "expect": ROWS, "area": "payments"}},
        },
    }


def edit(site: Site, fields: dict[str, Any]) -> None:
    """Replace some fields of the policy's environment."""
    policy = yaml.safe_load(site.policy_file.read_text())
    policy["environments"]["production"] |= fields
    site.policy_file.write_text(yaml.safe_dump(policy, sort_keys=False))


@pytest.fixture(scope="module")
def airflow(pg18: Cluster, site: Site) -> Iterator[Airflow]:
    with running_airflow(pg18, site) as running:
        await_true(lambda: running.api.get("dags/shop-production.restore_drill") is not None, 120, "the DAG is known")
        yield running


def person(airflow: Airflow, name: str) -> AirflowApi:
    """The API as one of the people of the roles."""
    password = (airflow.site.folder / "state/secrets" / f"{name}_password").read_text()
    return AirflowApi(airflow.url, name, password)


def begin_drill(airflow: Airflow, name: str = "dba", **form: object) -> str:
    """A person triggers the drill; returns the run's place below the API. What another test left would hold it up."""
    drills = "dags/shop-production.restore_drill/dagRuns"
    for old in airflow.api.get(f"{drills}?state=running&state=queued")["dag_runs"]:
        airflow.api.patch(f"{drills}/{old['dag_run_id']}", {"state": "failed"})
    body = {"logical_date": None, "conf": {"reason": "the quarter", **form}}
    return f"{drills}/{person(airflow, name).post(drills, body)['dag_run_id']}"


def await_gate(airflow: Airflow, run: str) -> None:
    """Wait until the run asks people; fails at once where it ends before."""

    def asks() -> bool:
        assert airflow.api.get(run)["state"] != "failed", states(airflow, run)
        return airflow.task(run, "approve").get("state") == "awaiting_input"

    await_true(asks, 240, "the gate asks")


def approve(airflow: Airflow, run: str, name: str = "teamlead") -> None:
    """Another person agrees to what the gate shows."""
    await_gate(airflow, run)
    answer = {"chosen_options": ["Approve"], "params_input": {}}
    person(airflow, name).patch(f"{run}/taskInstances/approve/-1/hitlDetails", answer)


def states(airflow: Airflow, run: str) -> dict[str, str]:
    tasks = airflow.api.get(f"{run}/taskInstances")["task_instances"]
    return {task["task_id"]: task["state"] for task in tasks}


def page(airflow: Airflow, run: str, part: str = "", *, is_user: bool = True) -> tuple[int, str]:
    """What the run's tab shows the team lead, and the evidence behind it; to nobody if not ``is_user``."""
    login = {"username": "teamlead", "password": (airflow.site.folder / "state/secrets/teamlead_password").read_text()}
    headers = {"Content-Type": "application/json"}
    asked = urllib.request.Request(f"{airflow.url}/auth/token", json.dumps(login).encode(), headers)
    with urllib.request.urlopen(asked) as answer:
        token = json.load(answer)["access_token"]
    _, dag, _, run_id = run.split("/")
    url = f"{airflow.url}/holdfast/runs/{dag}/{run_id}{part}"
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if is_user else {})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def leftovers(airflow: Airflow) -> list[str]:
    """What is left of recovery environments: their files, and processes of their servers."""
    folder = airflow.site.folder / "recovery"
    files = [str(path) for path in folder.rglob("PG_VERSION")] if folder.is_dir() else []
    places = (
        [path.name for path in folder.iterdir() if path.is_dir() and any(path.rglob("*"))] if folder.is_dir() else []
    )
    programs = [pid for pid in descendants(os.getpid()) if str(folder).encode() in command_line(pid)]
    return [*files[:3], *places, *map(str, programs)]


def drill_of(airflow: Airflow, run: str) -> RestorePointId:
    return RestorePointId.parse(airflow.returned(run, "pick"))


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


def lingering() -> list[int]:
    """The processes of commands that linger."""
    return [pid for pid in descendants(os.getpid()) if command_line(pid).startswith(b"sleep\x00119")]


def kill(airflow: Airflow, run: str, task_id: str) -> None:
    """Kill the process of the task's first attempt, once it works, and see that all it started dies with it."""
    await_true(lambda: airflow.task(run, task_id).get("id"), 60, f"{task_id} is known")
    title = f"airflow worker -- {airflow.task(run, task_id)['id']}".encode()
    found: list[int] = []
    await_true(lambda: found.extend(_titled(title)) or found, 120, f"{task_id} begins", every_s=0.01)
    pid = found[0]
    # Until it has started something; tasks that start nothing are killed as they begin to work.
    deadline = time.monotonic() + (20 if task_id in STEPS else 0.4)
    while not (started := descendants(pid)) and time.monotonic() < deadline and is_alive(pid):
        time.sleep(0.005)
    time.sleep(0.05)
    started = descendants(pid)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    await_true(lambda: not any(map(is_alive, (pid, *started))), 15, f"what {task_id} started dies with it")
    await_true(lambda: airflow.task(run, task_id)["try_number"] == 2, 60, f"{task_id} is tried again")


def _titled(title: bytes) -> list[int]:
    return [pid for pid in descendants(os.getpid()) if command_line(pid).startswith(title)]


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
    drill = _with_drills(airflow.site.folder)["drill"]
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
