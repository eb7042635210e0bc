"""The base backups of the first round, each with the WAL that it needs, and what came of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from holdfast.values import figures
from holdfast_embedded.airflow.follow import follow
from holdfast_embedded.airflow.runs import Outcome, Run, Runs
from holdfast_embedded.protected import ProtectedEnvironment

_COMMIT_TASK = "commit_base_backup"


def begin_base_backups(runs: Runs, environments: Sequence[ProtectedEnvironment]) -> dict[str, Run | str]:
    """Trigger a base backup of every environment that has taken one before; by title the run, or why there is none.

    The first one of an environment is started by the first run that streams its WAL. That begins by itself, once
    nothing of an earlier `make run` stands in the way.
    """
    begun: dict[str, Run | str] = {}
    for environment in environments:
        if environment.has_base_backups:
            runs.clear_the_way(environment.wal_dag_id)
            if runs.has_succeeded(environment.base_backup_dag_id):
                begun[environment.title] = runs.trigger(environment.base_backup_dag_id, environment.module)
    return begun


def await_base_backups(
    runs: Runs,
    environments: Sequence[ProtectedEnvironment],
    begun: Mapping[str, Run | str],
    outcomes: Mapping[str, Outcome],
) -> dict[str, Outcome]:
    """The outcomes with those of the base backups, once these are committed or have failed."""
    found = dict(outcomes)
    started: dict[str, Run] = {}
    for environment in environments:
        if not environment.has_base_backups:
            continue
        title, dag_id = environment.title, environment.base_backup_dag_id
        run = begun.get(title) or runs.newest(dag_id) or runs.trigger(dag_id, environment.module)
        if isinstance(run, str):
            found[title] = found[title].failing(f"base backup: {run}")
        else:
            started[title] = run
    return found | {title: _with(runs, found[title], run) for title, run in follow(runs, started, "base backup")}


def _with(runs: Runs, outcome: Outcome, run: Run) -> Outcome:
    facts = runs.returned(run, _COMMIT_TASK)
    if run.state != "success" or not facts:
        return outcome.failing(f"base backup: {run.trouble or 'no task of it failed; see its page'}")
    stored = f"{facts['kind']}, {figures.size(facts['bytes'])} stored with the WAL up to {facts['stop_lsn']}"
    return replace(outcome, base_backup=f"base backup {facts['base_backup']}, {stored}")
