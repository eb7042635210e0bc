"""Celery's queues for real: workers that share nothing but the store take one nightly run between them, and WAL."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from fix_compose import Compose
from fix_fleet import Fleet
from holdfast.postgres.wheel import wheel_folder
from holdfast.recovery.cluster import Cluster
from holdfast_embedded.airflow.api import AirflowApi, segment

DAG = "coursepedia-production.nightly"
CONTROL = ("api-server", "scheduler", "dag-processor", "triggerer")
WORKERS = ("worker", "worker-wal", "worker-recovery")
WAL, BASE_BACKUP = "dags/coursepedia-production.wal", "dags/coursepedia-production.base_backup"
RUNS_ON = {
    "store_guard": "worker",
    "open": "worker",
    "inventory": "worker",
    "dump": "worker",
    "media": "worker",
    "verify_list": "worker-recovery",
    "manifest": "worker",
    "expire": "worker",
}
_RUN_S = 300.0

pytestmark = pytest.mark.timeout(900)


@dataclass(frozen=True, slots=True)
class NightlyRun:
    """A finished run in a fleet that is still up."""

    fleet: Fleet
    api: AirflowApi
    path: str
    state: str


@pytest.fixture(scope="module")
def nightly_run(compose: Compose, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NightlyRun]:
    """Start every service of docker-compose.yaml with its demo, and let one nightly run come to its end."""
    folder = tmp_path_factory.mktemp("fleet")
    with Cluster(folder / "postgres", wheel_folder(), config={"fsync": "off", "summarize_wal": "on"}) as cluster:
        address = f"127.0.0.1:{cluster.port}"
        _adopt(cluster, compose)
        fleet = Fleet(folder, compose, {"demo-postgres:5432": address, "postgres:5432": address})
        try:
            fleet.start("redis", "seaweedfs")
            fleet.finish("init")
            fleet.start(*CONTROL, *WORKERS)
            fleet.finish("demo-databases")
            fleet.await_healthy("redis", "seaweedfs", *CONTROL, *WORKERS)
            yield _run_nightly(fleet, compose)
        finally:
            fleet.end()
    assert not _processes_of(folder)


def _adopt(cluster: Cluster, compose: Compose) -> None:
    """One cluster stands for both PostgreSQL servers, with the passwords that theirs would have."""
    with psycopg.connect(cluster.url(), autocommit=True) as session:
        password = sql.Literal(compose.secret("postgres_password").read_text())
        session.execute(sql.SQL("CREATE ROLE airflow LOGIN PASSWORD {}").format(password))
        session.execute("CREATE DATABASE airflow OWNER airflow")
        password = sql.Literal(compose.secret("demo_postgres_password").read_text())
        session.execute(sql.SQL("ALTER ROLE postgres PASSWORD {}").format(password))


def _run_nightly(fleet: Fleet, compose: Compose) -> NightlyRun:
    api = AirflowApi(fleet.ui, compose.variables["HOLDFAST_ADMIN"], compose.secret("admin_password").read_text())
    deadline = time.monotonic() + _RUN_S
    while api.get(f"dags/{DAG}") is None:
        assert time.monotonic() < deadline, fleet.log("dag-processor")[-3000:]
        time.sleep(0.5)
    run = api.post(f"dags/{DAG}/dagRuns", {"logical_date": None})
    path = f"dags/{DAG}/dagRuns/{segment(run['dag_run_id'])}"
    while (state := _get(api, path)["state"]) in ("queued", "running"):
        assert time.monotonic() < deadline, "\n".join(fleet.log(name)[-3000:] for name in ("scheduler", *WORKERS))
        time.sleep(0.5)
    return NightlyRun(fleet, api, path, state)


def _get(api: AirflowApi, path: str) -> Any:
    answer = api.get(path)
    assert answer is not None, path
    return answer


def _processes_of(folder: Path) -> list[str]:
    """Command lines of processes whose environment or command names the folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            told = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
        except OSError:
            continue
        if str(folder).encode() in told and int(process.name) != os.getpid():
            found.append(f"{process.name} {told[-300:]!r}")
    return found


def _task_logs(fleet: Fleet, service: str) -> set[str]:
    """The tasks whose logs lie in the service's own folder: those that ran there."""
    logs = (fleet.home(service) / "opt/airflow/logs").glob(f"dag_id={DAG}/*/task_id=*/*.log")
    return {log.parent.name.removeprefix("task_id=") for log in logs}


def test_two_workers_take_one_nightly_run_between_them(nightly_run: NightlyRun) -> None:
    """Every task ran on the worker of its queue, and none anywhere else."""
    instances = _get(nightly_run.api, f"{nightly_run.path}/taskInstances")["task_instances"]
    assert nightly_run.state == "success", [(task["task_id"], task["state"]) for task in instances]
    assert {task["task_id"]: task["queue"] for task in instances} == {
        task: "recovery" if service == "worker-recovery" else "default" for task, service in RUNS_ON.items()
    }
    for service in (*CONTROL, *WORKERS):
        here = {task for task, place in RUNS_ON.items() if place == service}
        assert _task_logs(nightly_run.fleet, service) == here, service


def test_run_ends_with_one_verified_restore_point(nightly_run: NightlyRun) -> None:
    """The command of the recovery worker's container lists it, and reads it back to its last byte."""
    [point] = _holdfast(nightly_run.fleet, "list")["restore_points"]
    assert point["tier"] == "nightly"
    _holdfast(nightly_run.fleet, "verify", point["id"])
    assert _xcom(nightly_run)["open"] == point["id"]


def test_no_local_path_crosses_between_tasks(nightly_run: NightlyRun) -> None:
    """What the tasks handed on names no folder of any worker, and neither worker left a file to the other."""
    handed_on = json.dumps(_xcom(nightly_run))
    assert str(nightly_run.fleet.folder) not in handed_on
    assert "/opt/" not in handed_on
    for worker in WORKERS:
        home = nightly_run.fleet.home(worker)
        assert not list((home / "cwd").iterdir()), worker
        assert not list(home.rglob("*.age")), worker


def test_media_are_taken_by_the_worker_and_read_by_the_recovery_worker(nightly_run: NightlyRun) -> None:
    """The snapshot that the restore point is paired with holds the demo's files, and reads back whole."""
    media = _xcom(nightly_run)["media"]
    assert (media["snapshot"], media["files"] > 500) == (_xcom(nightly_run)["open"], True)
    assert media["new_files"] > 20
    checked = _holdfast(nightly_run.fleet, "media check")
    assert (checked["ok"], checked["files_checked"] > 20) == (True, True)


def test_only_the_recovery_worker_can_read_backups(nightly_run: NightlyRun) -> None:
    """Each service has just the secrets that it needs; workers cannot reach the metadata database."""
    fleet = nightly_run.fleet
    assert "identity.txt" in fleet.secrets("worker-recovery")
    for service in (*CONTROL, "worker", "init", "redis"):
        assert "identity.txt" not in fleet.secrets(service), service
    for worker in WORKERS:
        assert not fleet.secrets(worker) & {"database_url", "fernet_key", "jwt_secret", "postgres_password"}, worker
    connections = fleet.home("worker-recovery") / "run/secrets/connections.yaml"
    assert "coursepedia_production_db" not in connections.read_text()


def test_recovery_workers_log_is_shown_by_the_api_server(nightly_run: NightlyRun) -> None:
    """The API server has no such file of its own: it asks the worker, with the secret that both have."""
    answer = _get(nightly_run.api, f"{nightly_run.path}/taskInstances/verify_list/logs/1")
    assert "verify" in json.dumps(answer["content"]).lower()
    assert "could not read" not in json.dumps(answer["content"]).lower()


def test_redis_wants_a_password(nightly_run: NightlyRun) -> None:
    """Without one it does nothing, and the user that asks after its health may ask nothing else."""
    fleet = nightly_run.fleet
    assert "NOAUTH" in fleet.run("redis", "sh", "-c", "redis-cli keys '*'").stdout
    health = "redis-cli --user health --pass any --no-auth-warning"
    assert "NOPERM" in fleet.run("redis", "sh", "-c", f"{health} keys '*'").stdout
    assert "PONG" in fleet.run("redis", "sh", "-c", f"{health} ping").stdout


@pytest.mark.parametrize(
    ("probe", "complaint"),
    [
        (("worker", "nobody"), "does not answer"),
        (("http", "http://api-server:8080/api/v2/monitor/health", "postman"), "KeyError"),
        (("http", "http://localhost:9/health"), "refused"),
    ],
)
def test_health_check_fails_where_nobody_is(nightly_run: NightlyRun, probe: tuple[str, ...], complaint: str) -> None:
    """It says why on stderr, where docker keeps it."""
    done = nightly_run.fleet.run("worker", "python", "/opt/holdfast/deploy/health.py", *probe)
    assert done.returncode == 1
    assert complaint in done.stderr


def test_wal_worker_streams_and_its_event_starts_a_base_backup(nightly_run: NightlyRun) -> None:
    """Nobody asks for either: WAL runs follow one upon the other, and the first one misses a base backup."""
    fleet, api = nightly_run.fleet, nightly_run.api
    deadline = time.monotonic() + _RUN_S
    while not (runs := _get(api, f"{BASE_BACKUP}/dagRuns?state=success")["dag_runs"]):
        assert time.monotonic() < deadline, fleet.log("worker-wal")[-3000:]
        time.sleep(0.5)
    assert [run["run_type"] for run in runs] == ["asset_triggered"]
    logs = fleet.home("worker-wal") / "opt/airflow/logs/dag_id=coursepedia-production.wal"
    assert len(list(logs.glob("run_id=scheduled*/task_id=stream_wal/*.log"))) >= 2
    [window] = _holdfast(fleet, "pitr window")["windows"]
    assert window["from"] < window["to"]


def test_wal_worker_that_is_stopped_ends_its_run_well(nightly_run: NightlyRun) -> None:
    """Within seconds, though the run had most of an hour before it; what had arrived is stored."""
    fleet, api = nightly_run.fleet, nightly_run.api
    [run] = _get(api, f"{WAL}/dagRuns?state=running")["dag_runs"]
    task = f"{WAL}/dagRuns/{segment(run['dag_run_id'])}/taskInstances/stream_wal"
    while _get(api, task)["state"] != "running":
        time.sleep(0.2)
    time.sleep(2)
    fleet.stop("worker-wal", within_s=40)
    deadline = time.monotonic() + 20
    while (state := _get(api, task)["state"]) == "running":
        assert time.monotonic() < deadline, fleet.log("worker-wal")[-3000:]
        time.sleep(0.2)
    assert state == "success"
    assert _get(api, f"{task}/xcomEntries/return_value")["value"]["stored_lsn"]


def _holdfast(fleet: Fleet, command: str, *arguments: str) -> Any:
    """Run a command, which may be of two words, on Coursepedia's production."""
    place = ("/opt/airflow/dags/coursepedia.yaml", "production")
    argv = ("python", "/opt/holdfast/deploy/holdfast", *command.split(), *place, *arguments, "--json")
    done = fleet.run("worker-recovery", *argv)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _xcom(run: NightlyRun) -> dict[str, Any]:
    """What each task returned."""
    path = f"{run.path}/taskInstances/{{}}/xcomEntries/return_value"
    return {task: _get(run.api, path.format(task))["value"] for task in RUNS_ON}
