"""Drills in a running Airflow: an app to drill, people who ask and approve, and what a test needs to see."""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from fix_airflow import HASTY_MODULE, Airflow, app_site, await_true, command_line, is_alive
from fix_environment import Site
from holdfast.values.ids import RestorePointId
from holdfast_embedded.airflow.api import AirflowApi
from holdfast_embedded.process_tree import descendants

DRILL = "dags/shop-production.restore_drill"
ROWS = 200_000
TABLES = f"""
CREATE TABLE orders AS SELECT n AS id, md5(n::text) AS body FROM generate_series(1, {ROWS}) n;
ALTER TABLE orders ADD PRIMARY KEY (id);
CREATE TABLE media_files (path text PRIMARY KEY);
INSERT INTO media_files SELECT 'courses/' || n || '.txt' FROM generate_series(1, 5) n;
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


def drilled_site(folder: Path, database_url: str) -> Site:
    """An app with a table, a few uploads, a command of its own and a question, restored below ``folder``."""
    for number in range(1, 6):
        (folder / "uploads/courses").mkdir(parents=True, exist_ok=True)
        (folder / f"uploads/courses/{number}.txt").write_text(f"lesson {number}")
    (folder / "application").mkdir()
    (folder / "application/reconcile.sh").write_text(COMMAND)
    made = app_site(folder, {"AIRFLOW_CONN_SHOP_DB": database_url, "HOLDFAST_RECOVERY": str(folder / "recovery")})
    made.policy_file.with_suffix(".py").write_text(HASTY_MODULE)
    edit(made, with_drills(folder))
    made.backup()
    return made


def with_drills(folder: Path) -> dict[str, Any]:
    """The fields of a policy that declares drills."""
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
    # In one step: Airflow may be reading it.
    site.policy_file.with_suffix(".new").write_text(yaml.safe_dump(policy, sort_keys=False))
    site.policy_file.with_suffix(".new").rename(site.policy_file)


def person(airflow: Airflow, name: str) -> AirflowApi:
    """The API as one of the people of the roles."""
    password = (airflow.site.folder / "state/secrets" / f"{name}_password").read_text()
    return AirflowApi(airflow.url, name, password)


def begin_drill(airflow: Airflow, name: str = "dba", **form: object) -> str:
    """A person triggers the drill; returns the run's place below the API. What another test left would hold it up."""
    drills = f"{DRILL}/dagRuns"
    for old in airflow.api.get(f"{drills}?state=running&state=queued")["dag_runs"]:
        airflow.api.patch(f"{drills}/{old['dag_run_id']}", {"state": "failed"})
    await_true(lambda: (airflow.api.get(DRILL) or {}).get("is_stale") is False, 120, "the DAG is known")
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
    """The state of each task of the run."""
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
    """The drill that the run has opened."""
    return RestorePointId.parse(airflow.returned(run, "pick"))


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
    deadline = time.monotonic() + (20 if task_id in STEPS else 0.1)
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
