"""The evidence of a drill's run: found through its DAG alone, read from the store, shown only if its signature fits."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from airflow.models.dag import DagModel
from airflow.models.dagrun import DagRun
from sqlalchemy import select
from sqlalchemy.orm import Session

from holdfast.errors import HoldfastError, IntegrityError, TransientError, UsageError
from holdfast.values.ids import RestorePointId
from holdfast_airflow import runs

KINDS = ("restore_drill", "restore_check")
# A store behind a wall that swallows packets would keep the reader, and a thread of the server, for minutes.
_PATIENCE_S = 20.0


@dataclass(frozen=True, slots=True)
class DrillRun:
    """A run of a drill's DAG: what its evidence is called, and beside which file its policy lies."""

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


def find_drill(session: Session, dag_id: str, run_id: str) -> DrillRun | None:
    """The drill of a run; None where there is no such run, or where it is no drill's.

    Nothing here comes from XCom, which may have been written by people.
    """
    found = session.execute(
        select(DagRun.run_after, DagModel.fileloc)
        .join(DagModel, DagModel.dag_id == DagRun.dag_id)
        .where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)
    ).first()
    kind = dag_id.rpartition(".")[2]
    if found is None or found.fileloc is None or kind not in KINDS:
        return None
    origin = runs.origin_of(dag_id, run_id)
    drill = RestorePointId.make(found.run_after, kind, origin)
    return DrillRun(drill, dag_id, origin, Path(found.fileloc).with_suffix(".yaml"))


def read_report(run: DrillRun) -> str | Refusal:
    """The signed report of the run's evidence, that of the closed drill where it is closed; else why there is none."""
    try:
        return _within(_PATIENCE_S, run)
    except HoldfastError as error:
        return Refusal(error.message, error.hint, f"holdfast evidence show {run.policy_file.name} ENV {run.drill}")


def _within(patience_s: float, run: DrillRun) -> str:
    answer: Future[str] = Future()

    def read() -> None:
        try:
            answer.set_result(_read(run))
        except BaseException as error:  # it is raised where the answer is waited for
            answer.set_exception(error)

    Thread(target=read, name="holdfast-report", daemon=True).start()
    try:
        return answer.result(patience_s)
    except TimeoutError:
        raise TransientError(f"the store did not answer within {patience_s:.0f} s from this server") from None


def _read(run: DrillRun) -> str:
    # The engine's libraries are needed for this page alone.
    from holdfast.environment import open_environment
    from holdfast.evidence.records import read_evidence, report_of
    from holdfast_airflow.connections import AirflowConnections

    environment = open_environment(run.policy_file, _environment_of(run), AirflowConnections())
    evidence = read_evidence(environment, run.drill)
    if evidence.origin != run.origin:
        raise IntegrityError(f"evidence {run.drill}: it is that of {evidence.origin}")
    return report_of(environment, run.drill, evidence).decode()


def _environment_of(run: DrillRun) -> str:
    """The environment whose DAG it is; app and environment may have hyphens, so only the policy can tell."""
    from holdfast.policy import load_policy

    policy = load_policy(run.policy_file)
    for name in policy.environments:
        if run.dag_id == f"{policy.app}-{name}.{run.drill.tier}":
            return str(name)
    raise UsageError(f"policy {run.policy_file.name}: it has no environment with the DAG {run.dag_id}")
