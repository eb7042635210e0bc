"""A DAG with approval gates in a running Airflow, and the people who trigger and answer it through its API."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fix_airflow import Airflow, app_site, await_true
from fix_environment import Site
from holdfast_embedded.airflow.api import AirflowApi, segment
from holdfast_embedded.airflow.environment import ADMIN
from holdfast_embedded.airflow.task_log import error_in, task_log

PASSWORD = "a pass phrase of the tests' own"
PLAN = "# Drill {{ not a template }}\n\n| check | result |\n|---|---|\n| rows | **equal**, 3 € |\n"

# Gates with every kind of rule, in one app: what is asked about is a text that the first task leaves in the store.
DAGS = '''
"""Airflow DAG."""
import time
from datetime import datetime, timedelta
from pathlib import Path

from airflow.sdk import DAG, Param, task

from holdfast.approval import demand_approval
from holdfast.environment import open_environment
from holdfast.values.ids import RestorePointId
from holdfast_airflow.connections import AirflowConnections
from holdfast_airflow.failures import reported
from holdfast_airflow.sensors.approval import ApprovalSensor

FOLDER = Path(__file__).parent
POLICY = str(FOLDER / "shop.yaml")


def opened(environment):
    return open_environment(Path(POLICY), environment, AirflowConnections())


def stored_plan(environment, subject):
    return environment.store.get(environment.keys.evidence_object(subject, "plan.md")).decode()


class PlanApproval(ApprovalSensor):
    def plan(self, environment, subject):
        return stored_plan(environment, subject)


def gated(name, gates, schedule=None):
    with DAG(
        f"gates.{name}", schedule=schedule, start_date=datetime(2026, 1, 1), catchup=False,
        is_paused_upon_creation=False, params={"held": False, "plan": Param(PLAN, type="string")},
        # A schedule may start its run before the API server answers its tasks.
        default_args={"retries": 5, "retry_delay": timedelta(seconds=2)},
    ) as dag:
        @task
        def pick(params=None, dag_run=None):
            subject = RestorePointId.make(dag_run.run_after, "restore_drill", dag_run.run_id)
            environment = opened(name)
            key = environment.keys.evidence_object(subject, "plan.md")
            environment.store.delete(key)
            environment.store.put(key, [params["plan"].encode()])
            return str(subject)

        @task(retries=0)
        def act(subject, params=None, dag_run=None):
            import logging
            while params["held"] and not (FOLDER / f"go-{dag_run.run_id}").exists():
                time.sleep(0.2)
            environment = opened(name)
            parsed = RestorePointId.parse(subject)
            with reported(logging.getLogger("airflow.task")):
                given = demand_approval(
                    environment, parsed, body=stored_plan(environment, parsed), gates=gates, now=environment.clock(),
                    origin=f"{dag_run.dag_id}/{dag_run.run_id}",
                )
            return [f"{each.gate}: {each.approver}" for each in given]

        subject = pick()
        asked = [
            PlanApproval(
                task_id=gate, gate=gate, position=position, subject_id=subject, policy_file=POLICY, environment=name
            )
            for position, gate in enumerate(gates, 1)
        ]
        asked >> act(subject)
    return dag


production = gated("production", ["approval"])
timed = gated("timed", ["approval"], schedule="@once")
brief = gated("brief", ["approval"])
named = gated("named", ["approval"])
double = gated("double", ["first", "second"])
'''
RULES = {
    "production": "{}",
    "timed": "{}",
    "brief": "{within: 20s}",
    "named": "{approvers: [grace, linus]}",
    "double": "{needed: 2}",
}


def gate_site(folder: Path) -> Site:
    """The app with an environment for each kind of rule, and the DAGs of its gates."""
    site = app_site(folder, {"AIRFLOW_CONN_SHOP_DB": "postgresql://nobody@127.0.0.1:1/none"})
    head, _, section = site.policy_file.read_text().partition("  production:\n")
    sections = [f"  {name}:\n    approval: {rules}\n{section}" for name, rules in RULES.items()]
    site.policy_file.write_text(head + "".join(sections))
    site.policy_file.with_suffix(".py").unlink()  # the app's own DAGs are not what is tried here
    (folder / "dags" / "gates.py").write_text(DAGS.replace("PLAN", repr(PLAN)))
    return site


@dataclass(frozen=True)
class Gates:
    """The gates at work: people trigger, look and answer through the REST API; all of them are Admins."""

    airflow: Airflow
    people: dict[str, AirflowApi]

    @classmethod
    def open(cls, airflow: Airflow, names: Sequence[str]) -> Gates:
        """Make the people, and wait until Airflow knows the DAGs."""
        await_true(lambda: all(airflow.api.get(f"dags/gates.{name}") for name in RULES), 90, "the DAGs are known")
        for name in names:
            _make_user(airflow, name)
        return cls(airflow, {name: AirflowApi(airflow.url, name, PASSWORD) for name in names})

    def trigger(self, environment: str, by: str, *, held: bool = False) -> GateRun:
        """Start a run; ``held``: its last task waits for ``release``."""
        dag = f"gates.{environment}"
        # The form of a drill asks for a reason, too: that of the requester.
        form = {"held": held, "reason": "the quarter"}
        run = self.people[by].post(f"dags/{dag}/dagRuns", {"logical_date": None, "conf": form})
        return GateRun(self, dag, run["dag_run_id"])


@dataclass(frozen=True)
class GateRun:
    """One run, and what people do to it."""

    gates: Gates
    dag_id: str
    run_id: str

    @property
    def path(self) -> str:
        return f"dags/{self.dag_id}/dagRuns/{segment(self.run_id)}"

    @property
    def api(self) -> AirflowApi:
        return self.gates.airflow.api

    def task(self, task_id: str) -> dict[str, Any]:
        return self.gates.airflow.task(self.path, task_id)

    def await_asked(self, gate: str = "approval") -> dict[str, Any]:
        """Wait until the gate waits; returns what it shows."""
        await_true(lambda: self.task(gate).get("state") == "awaiting_input", 120, f"{gate} waits for an answer")
        # Airflow 3.3 takes a task for killed whose answer comes before its scheduler has heard that the worker let go
        # of it: a matter of a second, which no person is as fast as (apache/airflow#67287).
        await_true(lambda: self._is_let_go(gate), 60, f"the scheduler knows that {gate} waits")
        return dict(self.api.get(f"{self.path}/taskInstances/{gate}/-1/hitlDetails") or {})

    def _is_let_go(self, gate: str) -> bool:
        attempt = self.task(gate)["try_number"]
        key = f"dag_id='{self.dag_id}', task_id='{gate}', run_id='{self.run_id}', try_number={attempt},"
        log = (self.gates.airflow.logs / "airflow-scheduler.log").read_text(errors="replace")
        return f"Received executor event with state success for task instance TaskInstanceKey({key}" in log

    def answer(self, by: str, option: str = "Approve", *, reason: str | None = None, gate: str = "approval") -> None:
        """Answer at the gate, as the UI does."""
        self.gates.people[by].patch(
            f"{self.path}/taskInstances/{gate}/-1/hitlDetails",
            {"chosen_options": [option], "params_input": {"reason": reason}},
        )

    def await_state(self, task_id: str, *states: str) -> str:
        """Wait until the task is in one of the states."""
        await_true(lambda: self.task(task_id).get("state") in states, 120, f"{task_id} is {' or '.join(states)}")
        return str(self.task(task_id)["state"])

    def end(self) -> dict[str, str]:
        """Wait until the run ends; the state of each task."""
        self.gates.airflow.end_of(self.path)
        found = self.api.items(f"{self.path}/taskInstances", "task_instances")
        return {task["task_id"]: task["state"] for task in found}

    def error(self, task_id: str) -> str:
        """What the task's last try said went wrong."""
        attempt = self.task(task_id)["try_number"]
        log = task_log(self.gates.airflow.logs / "tasks", self.dag_id, self.run_id, task_id, attempt)
        return error_in(log)

    def mark_success(self, task_id: str) -> None:
        """What an Admin can do to any task."""
        self.api.patch(f"{self.path}/taskInstances/{task_id}", {"new_state": "success"})

    def clear(self, *task_ids: str) -> None:
        """Have tasks run again."""
        body = {"dag_run_id": self.run_id, "task_ids": task_ids, "dry_run": False, "only_failed": False}
        self.api.post(f"dags/{self.dag_id}/clearTaskInstances", body)

    def release(self) -> None:
        """Let the last task go on."""
        (self.gates.airflow.site.policy_file.parent / f"go-{self.run_id}").touch()

    @property
    def subject(self) -> str:
        return str(self.gates.airflow.returned(self.path, "pick"))

    def stored(self, kind: str) -> Path:
        """The folder of the store that holds what is about this run's subject."""
        name = self.dag_id.removeprefix("gates.")
        return self.gates.airflow.site.store_folder / "shop" / name / kind / self.subject

    def record(self, name: str) -> dict[str, Any]:
        """One of the store's records of this run."""
        return dict(json.loads((self.stored("approvals") / name).read_text()))

    def is_overdue(self) -> bool:
        """Whether the gate's first request has expired."""
        return datetime.fromisoformat(self.record("approval.0001.request.json")["expires_at"]) < datetime.now(UTC)

    def alter_plan(self) -> None:
        """Change what the plan is made from."""
        plan = self.stored("evidence") / "plan.md"
        plan.chmod(0o600)
        plan.write_text(plan.read_text() + "and one more thing")


def _make_user(airflow: Airflow, name: str) -> None:
    token = _post(f"{airflow.url}/auth/token", {"username": ADMIN, "password": airflow.password}, "")["access_token"]
    user = {"username": name, "email": f"{name}@localhost", "first_name": name, "last_name": name}
    _post(f"{airflow.url}/auth/fab/v1/users", user | {"password": PASSWORD, "roles": [{"name": "Admin"}]}, token)


def _post(url: str, body: dict[str, Any], token: str) -> Any:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), headers)) as answer:
        return json.load(answer)


def pause(seconds: float) -> None:
    """Let time pass that the policy's own clock counts."""
    time.sleep(seconds)
