"""The first round: one nightly backup of every protected environment, through Airflow, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from holdfast_embedded.airflow.runs import Outcome, Run, Runs
from holdfast_embedded.protected import ProtectedEnvironment
from holdfast_embedded.terminal import table, tell

_LOOK_S = 0.5
_REMIND_S = 30.0
_HEADER = ("environment", "restore point", "bytes", "rows", "media files", "seconds")
_NUMBERS = frozenset({"bytes", "rows", "media files", "seconds"})


def take_round(runs: Runs, environments: Sequence[ProtectedEnvironment]) -> dict[str, Outcome]:
    """Trigger every environment's nightly DAG and wait for all; outcomes by the environments' titles."""
    outcomes: dict[str, Outcome] = {}
    started: dict[str, Run] = {}
    for environment in environments:
        run = runs.trigger(environment.dag_id, environment.module)
        if isinstance(run, str):
            outcomes[environment.title] = Outcome(failure=run)
        else:
            started[environment.title] = run
    tell(f"backing up {', '.join(started)}")
    outcomes |= _follow(runs, started)
    return {environment.title: outcomes[environment.title] for environment in environments}


def _follow(runs: Runs, started: Mapping[str, Run]) -> dict[str, Outcome]:
    outcomes: dict[str, Outcome] = {}
    remind_at = time.monotonic() + _REMIND_S
    while len(outcomes) < len(started):
        time.sleep(_LOOK_S)
        for title, run in started.items():
            if title not in outcomes and _look(runs, title, run):
                outcomes[title] = runs.outcome(run)
        if time.monotonic() > remind_at:
            remind_at += _REMIND_S
            working = [f"{title} ({run.task or run.state})" for title, run in started.items() if title not in outcomes]
            tell(f"still at work: {', '.join(working)}")
    return outcomes


def _look(runs: Runs, title: str, run: Run) -> bool:
    """See how far a run is, and tell what is news; True when it is finished."""
    before = run.trouble
    runs.look(run)
    if run.is_finished:
        tell(f"{title}: {'done' if run.state == 'success' else 'failed'}")
    elif run.trouble is not None and run.trouble != before:
        tell(f"{title}: failed, is tried again: {run.trouble}")
    return run.is_finished


def report(outcomes: Mapping[str, Outcome], faults: Sequence[str]) -> str:
    """The table of all outcomes, then a line for everything that went wrong."""
    rows = [
        (
            title,
            each.restore_point or "failed",
            _number(each.bytes),
            _number(each.rows),
            _number(each.media_files),
            _seconds(each.seconds),
        )
        for title, each in outcomes.items()
    ]
    failures = [f"failed: {title}: {each.failure}" for title, each in outcomes.items() if each.failure]
    return "\n".join([table(_HEADER, rows, numbers=_NUMBERS), *failures, *(f"failed: {fault}" for fault in faults)])


def _number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
