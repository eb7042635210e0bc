"""The evidence and plan of a run: found through its DAG alone, read from the store, shown only if signatures fit."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from sqlalchemy import select
from sqlalchemy.orm import Session

from holdfast.errors import HoldfastError, IntegrityError, ObjectMissing, TransientError, UsageError
from holdfast.values.ids import RestorePointId
from holdfast_airflow import runs

if TYPE_CHECKING:
    from holdfast.environment import Environment

DRILLS = ("restore_drill", "restore_check", "pitr_drill", "pitr_check")
OPERATIONS = (
    "restore",
    "switch_back",
    "restore_tables",
    "recover_rows",
    "undo_rows",
    "guarded_migration",
    "rollback",
)
KINDS = (*DRILLS, *OPERATIONS)
# A store behind a wall that swallows packets would keep the reader, and a thread of the server, for minutes.
_PATIENCE_S = 20.0


@dataclass(frozen=True, slots=True)
class DrillRun:
    """A run whose DAG leaves evidence, of a drill or an operation: its id, and beside which file its policy lies."""

    drill: RestorePointId
    dag_id: str
    origin: str
    policy_file: Path


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why there is no report to show, and the command that shows it elsewhere."""

    reason: str
    hint: str | None
    command: str


def find_drill(session: Session, dag_id: str, run_id: str, kind: str | None = None) -> DrillRun | None:
    """The drill or operation of a run; None where there is no such run, or where it leaves no evidence.

    ``kind`` names another that the same run made, such as the rehearsal of a restore. Nothing here comes from XCom,
    which may have been written by people.
    """
    found = session.execute(
        select(DagRun.run_after, DagModel.fileloc)
        .join(DagModel, DagModel.dag_id == DagRun.dag_id)
        .where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)
    ).first()
    tier = _tier_of(dag_id)
    wanted = kind or tier
    if found is None or found.fileloc is None or tier not in KINDS or wanted not in KINDS:
        return None
    origin = runs.origin_of(dag_id, run_id)
    drill = RestorePointId.make(found.run_after, wanted, origin)
    return DrillRun(drill, dag_id, origin, Path(found.fileloc).with_suffix(".yaml"))


def read_report(run: DrillRun) -> str | Refusal:
    """The signed report of the run's evidence, that of the closed drill where it is closed; else why there is none."""
    return _within(_PATIENCE_S, run, _report)


def read_plan(run: DrillRun) -> str | Refusal:
    """The plan of the run's operation (Markdown), as its gates show it, or its evidence; else why there is none."""
    return _within(_PATIENCE_S, run, _plan)


def _within(patience_s: float, run: DrillRun, read: Callable[[Environment, DrillRun], str]) -> str | Refusal:
    answer: Future[str] = Future()

    def work() -> None:
        try:
            answer.set_result(read(_opened(run), run))
        except BaseException as error:  # it is raised where the answer is waited for
            answer.set_exception(error)

    Thread(target=work, name="holdfast-report", daemon=True).start()
    try:
        return answer.result(patience_s)
    except TimeoutError:
        late = TransientError(f"the store did not answer within {patience_s:.0f} s from this server")
        return _refusal(run, late)
    except HoldfastError as error:
        return _refusal(run, error)


def _refusal(run: DrillRun, error: HoldfastError) -> Refusal:
    return Refusal(error.message, error.hint, f"holdfast evidence show {run.policy_file.name} ENV {run.drill}")


def _opened(run: DrillRun) -> Environment:
    # The engine's libraries are needed for these pages alone.
    from holdfast.environment import open_environment
    from holdfast_airflow.connections import AirflowConnections

    return open_environment(run.policy_file, _environment_of(run), AirflowConnections())


def _report(environment: Environment, run: DrillRun) -> str:
    from holdfast.evidence.records import read_evidence, report_of

    evidence = read_evidence(environment, run.drill)
    _demand_origin(run, evidence.origin)
    return report_of(environment, run.drill, evidence).decode()


def _plan(environment: Environment, run: DrillRun) -> str:
    from holdfast.evidence.records import read_evidence
    from holdfast.operation import gate_text, read_operation

    try:
        evidence = read_evidence(environment, run.drill)
    except ObjectMissing:
        _demand_origin(run, read_operation(environment, run.drill).origin)
        return gate_text(environment, run.drill)
    _demand_origin(run, evidence.origin)
    if evidence.plan is None:
        raise UsageError(f"operation {run.drill}: nothing was planned", hint="Its evidence says what came of it.")
    return f"{evidence.plan.body.rstrip()}\n\n{evidence.plan.notes}"


def _demand_origin(run: DrillRun, origin: str) -> None:
    """The id alone tells runs apart by a few digits only."""
    if origin != run.origin:
        raise IntegrityError(f"evidence {run.drill}: it is that of {origin}")


def _tier_of(dag_id: str) -> str:
    return dag_id.rpartition(".")[2]


def _environment_of(run: DrillRun) -> str:
    """The environment whose DAG it is; app and environment may have hyphens, so only the policy can tell."""
    from holdfast.policy import load_policy

    policy = load_policy(run.policy_file)
    for name in policy.environments:
        if run.dag_id == f"{policy.app}-{name}.{_tier_of(run.dag_id)}":
            return str(name)
    raise UsageError(f"policy {run.policy_file.name}: it has no environment with the DAG {run.dag_id}")
