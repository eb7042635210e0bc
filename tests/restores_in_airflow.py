"""Operations on a live application in a running Airflow: an app that is damaged, and the people who restore it."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from drills_in_airflow import edit, person, states
from fix_airflow import HASTY_MODULE, Airflow, app_site, await_true, command_line
from fix_environment import Site
from holdfast.values.ids import RestorePointId
from holdfast_embedded.airflow.api import segment
from holdfast_embedded.airflow.task_log import error_in, task_log
from holdfast_embedded.process_tree import descendants

ROWS = 1000
TABLES = f"""
CREATE TABLE "User" (id int PRIMARY KEY, email text);
INSERT INTO "User" SELECT n, 'user' || n || '@example.org' FROM generate_series(1, {ROWS}) n;
"""
# It fails as asked for, after it has changed something that it cannot take back.
MIGRATE = """
set -e
psql "$DATABASE_URL" -v ON_ERROR_STOP=1 -c 'ALTER TABLE "User" ADD COLUMN phone text'
if [ -e broken ]; then echo 'P3009: migration add_phone failed' >&2; exit 3; fi
"""


def live_site(folder: Path, database_url: str) -> Site:
    """An app with a table, two uploads, a migration and a question, of which there is one restore point."""
    (folder / "uploads").mkdir()
    for name in ("a.txt", "b.txt"):
        (folder / "uploads" / name).write_text(f"upload {name}")
    (folder / "application").mkdir()
    (folder / "application/migrate.sh").write_text(MIGRATE)
    (folder / "application/resolve.sh").write_text("echo resolved > resolved\n")
    variables = {
        "AIRFLOW_CONN_SHOP_DB": database_url,
        "HOLDFAST_RECOVERY": str(folder / "recovery"),
        "XDG_CACHE_HOME": str(folder / "cache"),
        # Two minutes are long for tests that change the policy.
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "10",
    }
    made = app_site(folder, variables)
    made.policy_file.with_suffix(".py").write_text(HASTY_MODULE)
    edit(made, fields(folder))
    made.backup()
    return made


def fields(folder: Path) -> dict[str, Any]:
    """The fields of a policy that lets people restore."""
    psql = str(Path(os.environ.get("PATH", "").split(":")[0]))
    return {
        "tiers": {"nightly": {"keep": "35d"}, "snapshot": {"keep": "90d"}},
        "media": {"source": f"file://{folder}/uploads"},
        "drill": {
            "queries": {"users": {"sql": 'SELECT count(*) FROM "User"', "expect": {"at_least": 1}, "area": "login"}}
        },
        "migration": {
            "command": "sh migrate.sh",
            "follow_up": ["sh resolve.sh"],
            "app_dir": str(folder / "application"),
            "env": {"PATH": f"{psql}:{os.environ['PATH']}"},
        },
    }


@dataclass(frozen=True)
class Run:
    """One run of an operation's DAG, and what people do to it."""

    airflow: Airflow
    tier: str
    path: str

    @classmethod
    def begin(cls, airflow: Airflow, tier: str, by: str = "dba", **form: object) -> Run:
        """A person triggers the DAG."""
        dag = f"dags/shop-production.{tier}"
        await_true(lambda: (airflow.api.get(dag) or {}).get("is_stale") is False, 120, f"{dag} is known")
        body = {"logical_date": None, "conf": {"reason": "the incident", **form}}
        run = person(airflow, by).post(f"{dag}/dagRuns", body)
        return cls(airflow, tier, f"{dag}/dagRuns/{segment(run['dag_run_id'])}")

    def state(self, task_id: str) -> str | None:
        """How the task stands."""
        found: str | None = self.airflow.task(self.path, task_id).get("state")
        return found

    def await_asked(self, gate: str = "approve") -> str:
        """Wait until the gate asks; returns what it shows. Fails at once where the run ends before."""

        def asks() -> bool:
            assert self.airflow.api.get(self.path)["state"] in ("queued", "running"), self.told()
            return self.state(gate) == "awaiting_input"

        await_true(asks, 300, f"{gate} asks")
        # Airflow 3.3 takes a task for killed whose answer comes before its scheduler has heard that the worker let go
        # of it (apache/airflow#67287).
        await_true(lambda: self._is_let_go(gate), 60, f"the scheduler knows that {gate} waits")
        detail = self.airflow.api.get(f"{self.path}/taskInstances/{gate}/-1/hitlDetails")
        return str(detail["body"])

    def _is_let_go(self, gate: str) -> bool:
        attempt, run_id = (
            self.airflow.task(self.path, gate)["try_number"],
            self.airflow.api.get(self.path)["dag_run_id"],
        )
        dag = f"shop-production.{self.tier}"
        key = f"dag_id='{dag}', task_id='{gate}', run_id='{run_id}', try_number={attempt},"
        log = (self.airflow.logs / "airflow-scheduler.log").read_text(errors="replace")
        return f"Received executor event with state success for task instance TaskInstanceKey({key}" in log

    def answer(self, option: str = "Approve", by: str = "teamlead", *, reason: str | None = None) -> None:
        """Another person answers."""
        answer = {"chosen_options": [option], "params_input": {"reason": reason}}
        person(self.airflow, by).patch(f"{self.path}/taskInstances/approve/-1/hitlDetails", answer)

    def end(self, within_s: float = 400) -> str:
        """The state in which it ends."""
        return self.airflow.end_of(self.path, within_s)

    def states(self) -> dict[str, str]:
        """The state of each task."""
        return states(self.airflow, self.path)

    def error(self, task_id: str) -> str:
        """What the task's last try said went wrong."""
        attempt = self.airflow.task(self.path, task_id)["try_number"]
        run_id = self.airflow.api.get(self.path)["dag_run_id"]
        logs = self.airflow.logs / "tasks"
        return error_in(task_log(logs, f"shop-production.{self.tier}", run_id, task_id, attempt))

    def told(self) -> str:
        """What each failed task said."""
        failed = [task for task, state in self.states().items() if state == "failed"]
        return "\n".join(f"{task}: {self.error(task)}" for task in failed)

    def operation(self, task_id: str = "open") -> RestorePointId:
        """The operation that it has opened."""
        return RestorePointId.parse(self.airflow.returned(self.path, task_id))


def rehearse(airflow: Airflow, where: str) -> None:
    """Have the policy say where restores are rehearsed, and wait until Airflow has made the DAGs anew."""
    edit(airflow.site, {"restore": {"rehearsal": where}})
    for tier in ("restore", "rollback"):
        tasks = f"dags/shop-production.{tier}/tasks"
        await_true(lambda path=tasks: _rehearses(airflow, path) == (where == "recovery"), 120, f"{tier} is made anew")


def _rehearses(airflow: Airflow, tasks: str) -> bool:
    return any(task["task_id"].startswith("rehearsal.") for task in airflow.api.get(tasks)["tasks"])


def one(url: str, query: str) -> Any:
    """The single value of a query."""
    with psycopg.connect(url) as session:
        row = session.execute(query).fetchone()
    return row[0] if row else None


def kill_once_begun(run: Run, task_id: str) -> None:
    """Kill the process of a task that has left word that it has begun to change what is live."""
    entry = f"{run.path}/taskInstances/{task_id}/xcomEntries/begun"
    await_true(lambda: run.airflow.api.get(entry), 240, f"{task_id} has begun", every_s=0.05)
    title = f"airflow worker -- {run.airflow.task(run.path, task_id)['id']}".encode()
    (pid,) = [each for each in descendants(os.getpid()) if command_line(each).startswith(title)]
    os.kill(pid, signal.SIGKILL)
    await_true(lambda: run.state(task_id) == "failed", 120, f"{task_id} has failed")


def clear_from(run: Run, task_id: str) -> None:
    """Have a task run again, with all that follow it; only an Admin may."""
    body = {"dag_run_id": run.airflow.api.get(run.path)["dag_run_id"], "task_ids": [task_id], "dry_run": False}
    body |= {"include_downstream": True, "only_failed": False}
    run.airflow.api.post(f"dags/shop-production.{run.tier}/clearTaskInstances", body)
