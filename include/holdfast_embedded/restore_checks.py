"""The restore checks that the restore points of the first round have started, and what came of them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from holdfast.values import figures
from holdfast_embedded.airflow.follow import follow
from holdfast_embedded.airflow.runs import Outcome, Run, Runs
from holdfast_embedded.protected import ProtectedEnvironment
from holdfast_embedded.terminal import tell

_STARTS_WITHIN_S = 60.0
_LOOK_S = 0.5


def await_checks(
    runs: Runs, environments: Sequence[ProtectedEnvironment], outcomes: Mapping[str, Outcome]
) -> dict[str, Outcome]:
    """The outcomes with those of the restore checks, where the policy has any; nobody triggers them but the event."""
    due = {
        environment.title: environment.check_dag_id
        for environment in environments
        if environment.has_restore_check and outcomes[environment.title].restore_point
    }
    if not due:
        return dict(outcomes)
    tell(f"restoring and checking {', '.join(due)}")
    found = dict(outcomes)
    started: dict[str, Run] = {}
    for title, dag_id in due.items():
        run = _started(runs, dag_id, outcomes[title].restore_point)
        if run is None:
            found[title] = _failed(found[title], f"no restore check has begun within {_STARTS_WITHIN_S:.0f} s")
        else:
            started[title] = run
    return found | {title: _checked(runs, found[title], run) for title, run in follow(runs, started, "restore check")}


def _started(runs: Runs, dag_id: str, restore_point: str) -> Run | None:
    deadline = time.monotonic() + _STARTS_WITHIN_S
    while time.monotonic() < deadline:
        if run := runs.started_by(dag_id, restore_point):
            return run
        time.sleep(_LOOK_S)
    return None


def _checked(runs: Runs, outcome: Outcome, run: Run) -> Outcome:
    evidence = runs.returned(run, "evidence")
    if run.state != "success" or evidence.get("verdict") != "passed":
        return _failed(outcome, str(run.trouble or "no task of it failed; see its page"))
    seconds = evidence.get("restore_seconds")
    return replace(outcome, restore_check=f"passed in {figures.seconds(seconds)}" if seconds else "passed")


def _failed(outcome: Outcome, reason: str) -> Outcome:
    return replace(outcome, restore_check="failed").failing(f"restore check: {reason}")
