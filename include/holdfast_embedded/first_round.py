"""The first round: a nightly backup of every environment, its restore check, base backups, and what came of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from holdfast_embedded.airflow.follow import follow
from holdfast_embedded.airflow.runs import Outcome, Run, Runs
from holdfast_embedded.base_backups import await_base_backups, begin_base_backups
from holdfast_embedded.protected import ProtectedEnvironment
from holdfast_embedded.restore_checks import await_checks
from holdfast_embedded.terminal import table, tell

_HEADER = ("environment", "restore point", "bytes", "rows", "media files", "seconds", "restore check")
_NUMBERS = frozenset({"bytes", "rows", "media files", "seconds"})


def take_round(runs: Runs, environments: Sequence[ProtectedEnvironment]) -> dict[str, Outcome]:
    """Trigger every environment's nightly DAG, and base backups; wait for all, and for the restore checks that follow.

    Outcomes by the environments' titles.
    """
    outcomes: dict[str, Outcome] = {}
    started: dict[str, Run] = {}
    for environment in environments:
        if environment.has_restore_check:
            runs.clear_the_way(environment.check_dag_id)
        run = runs.trigger(environment.dag_id, environment.module)
        if isinstance(run, str):
            outcomes[environment.title] = Outcome(failure=run)
        else:
            started[environment.title] = run
    base_backups = begin_base_backups(runs, environments)
    tell(f"backing up {', '.join(started)}")
    outcomes |= {title: runs.outcome(run) for title, run in follow(runs, started)}
    outcomes = await_checks(runs, environments, outcomes)
    outcomes = await_base_backups(runs, environments, base_backups, outcomes)
    return {environment.title: outcomes[environment.title] for environment in environments}


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
            each.restore_check,
        )
        for title, each in outcomes.items()
    ]
    copied = [f"{title}: {each.base_backup}" for title, each in outcomes.items() if each.base_backup]
    failures = [f"failed: {title}: {each.failure}" for title, each in outcomes.items() if each.failure]
    faulty = [f"failed: {fault}" for fault in faults]
    return "\n".join([table(_HEADER, rows, numbers=_NUMBERS), *copied, *failures, *faulty])


def _number(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
