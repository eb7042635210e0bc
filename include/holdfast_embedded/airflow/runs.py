"""DAG runs of the first round: triggered, followed to their end, and what came of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from holdfast.errors import TransientError
from holdfast_embedded.airflow.api import AirflowApi, segment
from holdfast_embedded.airflow.task_log import error_in, task_log

_COMMIT_TASK = "manifest"
_MEDIA_TASK = "media"
_PARSE_S = 120
_LOOK_S = 0.3


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one run ended; ``failure`` says what went wrong and where more is to be read.

    ``restore_check`` is in words how the restore point's restore check ended, ``base_backup`` what came of the base
    backup; empty where there is none.
    """

    restore_point: str = ""
    bytes: int | None = None
    rows: int | None = None
    media_files: int | None = None
    seconds: float | None = None
    failure: str | None = None
    restore_check: str = ""
    base_backup: str = ""

    def failing(self, reason: str) -> Outcome:
        """The same with one more reason why not all of it is well."""
        return replace(self, failure="; ".join(filter(None, [self.failure, reason])))


@dataclass(frozen=True, slots=True)
class Trouble:
    """A task whose last attempt failed: which attempt, what it said, and where all of it stands."""

    task: str
    attempt: int
    error: str
    log: Path

    def __str__(self) -> str:
        return f"{self.task}: {self.error}; see {self.log}"


@dataclass(slots=True)
class Run:
    """One run that was triggered, and what was last seen of it."""

    dag_id: str
    run_id: str
    state: str = "queued"
    task: str = ""
    trouble: Trouble | None = None

    @property
    def path(self) -> str:
        """Its place below the API."""
        return f"dags/{segment(self.dag_id)}/dagRuns/{segment(self.run_id)}"

    @property
    def is_finished(self) -> bool:
        """Whether we wait no longer. Airflow goes on trying for a quarter of an hour; two failures tell enough."""
        is_hopeless = self.trouble is not None and self.trouble.attempt > 1
        return self.state in ("success", "failed") or is_hopeless


class Runs:
    """Triggers and follows runs through the API; logs are read from the folder that they are written to."""

    def __init__(self, api: AirflowApi, task_logs: Path, check: Callable[[], None], started_at: datetime) -> None:
        self._api = api
        self._logs = task_logs
        self._check = check  # raises when a server has died, so that nobody waits for it
        self._started_at = started_at

    def trigger(self, dag_id: str, module: str) -> Run | str:
        """Trigger a run once the DAG's ``module`` (a file name) has been read anew; else why it cannot be."""
        path = f"dags/{segment(dag_id)}"
        deadline = time.monotonic() + _PARSE_S
        while time.monotonic() < deadline:
            self._check()
            dag = self._api.get(path)
            if error := self._import_error(module):
                return error
            if dag and datetime.fromisoformat(dag["last_parsed_time"]) > self._started_at:
                return self._start(dag_id, path)
            time.sleep(_LOOK_S)
        return f"airflow does not know the DAG {dag_id} after {_PARSE_S} s; see airflow-dag-processor.log"

    def look(self, run: Run) -> None:
        """Bring ``run`` up to date."""
        self._check()
        try:
            seen = self._api.get(run.path)
            tasks = self._api.items(f"{run.path}/taskInstances", "task_instances")
        except TransientError:
            return
        if seen is not None:
            run.state = seen["state"]
        run.task = next((task["task_id"] for task in tasks if task["state"] in _UNFINISHED), "")
        # What a drill has found fails the recording of its evidence, too: the first failure tells why.
        failures = [task for task in tasks if task["state"] in ("failed", "up_for_retry")]
        failed = min(failures, key=lambda task: task["start_date"] or "", default=None)
        if failed is not None and (run.trouble is None or failed["try_number"] != run.trouble.attempt):
            run.trouble = self._trouble(run, failed["task_id"], failed["try_number"])

    def outcome(self, run: Run) -> Outcome:
        """What came of a finished run."""
        facts, media = self.returned(run, _COMMIT_TASK), self.returned(run, _MEDIA_TASK)
        seconds = (self._api.get(run.path) or {}).get("duration")
        failure = None if run.state == "success" else str(run.trouble or "no task of it failed; see its page")
        if not facts:
            return Outcome(seconds=seconds, failure=failure or "it left no restore point")
        return Outcome(facts["restore_point"], facts["bytes"], facts["rows"], media.get("files"), seconds, failure)

    def returned(self, run: Run, task: str) -> dict[str, Any]:
        """The facts that a task of the run returned; none where it did not, or is none of the run's."""
        found = self._api.get(f"{run.path}/taskInstances/{task}/xcomEntries/return_value") or {}
        value = found.get("value")
        return value if isinstance(value, dict) else {}

    def started_by(self, dag_id: str, restore_point: str) -> Run | None:
        """The run of the DAG that the event of this restore point has started; None before there is one."""
        path = f"dags/{segment(dag_id)}/dagRuns"
        for found in self._api.items(f"{path}?order_by=-run_after&limit=10", "dag_runs"):
            run = Run(dag_id, found["dag_run_id"], found["state"])
            events = self._api.items(f"{run.path}/upstreamAssetEvents", "asset_events")
            if any((event.get("extra") or {}).get("restore_point") == restore_point for event in events):
                return run
        return None

    def has_succeeded(self, dag_id: str) -> bool:
        """Has any run of the DAG ever been a success?"""
        return bool(self._api.items(f"dags/{segment(dag_id)}/dagRuns?state=success&limit=1", "dag_runs"))

    def newest(self, dag_id: str) -> Run | None:
        """The last run of the DAG that something else has started since this `make run` began."""
        path = f"dags/{segment(dag_id)}/dagRuns?order_by=-run_after&limit=1"
        for found in self._api.items(path, "dag_runs"):
            if datetime.fromisoformat(found["queued_at"]) > self._started_at:
                return Run(dag_id, found["dag_run_id"], found["state"])
        return None

    def clear_the_way(self, dag_id: str) -> None:
        """Give up runs of the DAG that an earlier `make run` left unfinished, and let it run.

        One run at a time: they would hold ours up, for long if they wait to be tried again.
        """
        path = f"dags/{segment(dag_id)}"
        for old in self._api.items(f"{path}/dagRuns?state=running&state=queued", "dag_runs"):
            if datetime.fromisoformat(old["queued_at"]) < self._started_at:
                self._api.patch(f"{path}/dagRuns/{segment(old['dag_run_id'])}?update_mask=state", {"state": "failed"})
        if self._api.get(path) is not None:
            self._api.patch(f"{path}?update_mask=is_paused", {"is_paused": False})

    def _start(self, dag_id: str, path: str) -> Run:
        self.clear_the_way(dag_id)
        return Run(dag_id, self._api.post(f"{path}/dagRuns", {"logical_date": None})["dag_run_id"])

    def _trouble(self, run: Run, task: str, attempt: int) -> Trouble:
        log = task_log(self._logs, run.dag_id, run.run_id, task, attempt)
        return Trouble(task, attempt, error_in(log), log)

    def _import_error(self, module: str) -> str | None:
        for error in self._api.items("importErrors", "import_errors"):
            is_new = datetime.fromisoformat(error["timestamp"]) > self._started_at
            if is_new and Path(error["filename"]).name == module:
                return f"{module}: {error['stack_trace'].strip().splitlines()[-1]}"
        return None


_UNFINISHED = ("running", "queued", "up_for_retry", "scheduled", "restarting")
