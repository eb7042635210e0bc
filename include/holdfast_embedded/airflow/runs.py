"""DAG runs of the first round: triggered, followed to their end, and what came of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from holdfast.errors import TransientError
from holdfast_embedded.airflow.api import AirflowApi, segment
from holdfast_embedded.airflow.task_log import error_in, task_log

_COMMIT_TASK = "manifest"
_PARSE_S = 120


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one run ended; ``failure`` says what went wrong and where more is to be read."""

    restore_point: str = ""
    bytes: int | None = None
    rows: int | None = None
    seconds: float | None = None
    failure: str | None = None


@dataclass(slots=True)
class Run:
    """One run that was triggered, and what was last seen of it."""

    dag_id: str
    run_id: str
    state: str = "queued"
    working: str = ""

    @property
    def path(self) -> str:
        """Its place below the API."""
        return f"dags/{segment(self.dag_id)}/dagRuns/{segment(self.run_id)}"

    @property
    def is_finished(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in ("success", "failed")


class Runs:
    """Triggers and follows runs through the API; logs are read from the folder that they are written to."""

    def __init__(self, api: AirflowApi, task_logs: Path, check: Callable[[], None]) -> None:
        self._api = api
        self._logs = task_logs
        self._check = check  # raises when a server has died, so that nobody waits for it

    def trigger(self, dag_id: str, parsed_after: datetime) -> Run | str:
        """Trigger a run once the DAG's file has been read anew; else why it cannot be."""
        deadline = time.monotonic() + _PARSE_S
        while time.monotonic() < deadline:
            self._check()
            dag = self._api.get(f"dags/{segment(dag_id)}")
            if dag and _parsed_at(dag) >= parsed_after and not dag["has_import_errors"]:
                if dag["is_paused"]:
                    self._api.patch(f"dags/{segment(dag_id)}?update_mask=is_paused", {"is_paused": False})
                run = self._api.post(f"dags/{segment(dag_id)}/dagRuns", {"logical_date": None})
                return Run(dag_id, run["dag_run_id"])
            if error := self._import_error(dag_id):
                return error
            time.sleep(0.3)
        return f"airflow does not know the DAG {dag_id} after {_PARSE_S} s"

    def look(self, run: Run) -> None:
        """Bring ``run`` up to date."""
        self._check()
        try:
            seen = self._api.get(run.path)
            tasks = self._tasks(run)
        except TransientError:
            return
        if seen is not None:
            run.state = seen["state"]
        run.working = next((_activity(task) for task in tasks if task["state"] in _ACTIVE), "")

    def outcome(self, run: Run) -> Outcome:
        """What came of a finished run."""
        facts = (self._api.get(f"{run.path}/taskInstances/{_COMMIT_TASK}/xcomEntries/return_value") or {}).get("value")
        seen = self._api.get(run.path) or {}
        failure = self._failure(run) if run.state == "failed" else None
        if not isinstance(facts, dict):
            return Outcome(seconds=seen.get("duration"), failure=failure or "it left no restore point")
        return Outcome(facts["restore_point"], facts["bytes"], facts["rows"], seen.get("duration"), failure)

    def _tasks(self, run: Run) -> list[dict[str, Any]]:
        answer = self._api.get(f"{run.path}/taskInstances")
        return list(answer["task_instances"]) if answer else []

    def _failure(self, run: Run) -> str:
        for task in self._tasks(run):
            if task["state"] == "failed":
                log = task_log(self._logs, run.dag_id, run.run_id, task["task_id"], task["try_number"])
                return f"{task['task_id']}: {error_in(log)}; see {log}"
        return "no task of it failed; see its page"

    def _import_error(self, dag_id: str) -> str | None:
        app = dag_id.partition(".")[0]
        for error in (self._api.get("importErrors") or {"import_errors": []})["import_errors"]:
            if app.startswith(Path(error["filename"]).stem):
                last_line = error["stack_trace"].strip().splitlines()[-1]
                return f"{error['filename']}: {last_line.strip()}"
        return None


_ACTIVE = ("running", "queued", "up_for_retry", "scheduled", "restarting")


def _activity(task: dict[str, Any]) -> str:
    retry = f" failed {task['try_number']} times, is tried again" if task["state"] == "up_for_retry" else ""
    return f"{task['task_id']}{retry}"


def _parsed_at(dag: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(dag["last_parsed_time"])
