"""The tasks of an operation on the live application: its rehearsal, fresh snapshot, gates, steps and evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from airflow.sdk import DAG, BaseOperator, Param, TaskGroup, TriggerRule

from holdfast.drill import gates_of
from holdfast_airflow.assets import restored
from holdfast_airflow.operators import (
    OpenOperationSnapshotOperator,
    OpenRehearsalOperator,
    OperationEvidenceOperator,
    OperationStepOperator,
)
from holdfast_airflow.sensors import ChangeWindowSensor, OperationApprovalSensor
from holdfast_dags.drill_steps import drill_steps
from holdfast_dags.protected import Protected
from holdfast_dags.restore_point_steps import returned_by, store_guard, take_restore_point
from holdfast_dags.tier_dag import OPERATION_QUEUE, tier_dag

# One that waits for people over a weekend must not keep the next one from whoever needs it.
_RUNS_AT_ONCE: Final = 3
# A command may hang for ever; no restore that anybody waits for takes as long as this.
_LONGEST = timedelta(days=2)


def operation_dag(protected: Protected, tier: str, params: Mapping[str, Param]) -> DAG:
    """The DAG of one kind of operation: by hand only, with a form."""
    return tier_dag(protected, tier, params=params, runs_at_once=_RUNS_AT_ONCE)


def step(
    protected: Protected, open: BaseOperator, kind: type[OperationStepOperator], **arguments: Any
) -> OperationStepOperator:
    """One step of the operation that ``open`` opens, as a task that bears the step's name unless told otherwise."""
    changed = [restored(protected.app, protected.environment)] if kind.changes_live else []
    return kind(
        **{"task_id": kind.step_name, "outlets": changed, "execution_timeout": _LONGEST}
        | {"queue": OPERATION_QUEUE, "operation": returned_by(open)}
        | protected.operator_arguments
        | arguments
    )


def steps(
    protected: Protected, open: BaseOperator, kinds: Sequence[type[OperationStepOperator]]
) -> list[OperationStepOperator]:
    """Steps one behind the other, each also where the one before it was none of the operation's and was skipped."""
    rules = [TriggerRule.ALL_SUCCESS, *[TriggerRule.NONE_FAILED] * (len(kinds) - 1)]
    return [step(protected, open, kind, trigger_rule=rule) for kind, rule in zip(kinds, rules, strict=True)]


def gates(protected: Protected, open: BaseOperator) -> list[BaseOperator]:
    """One gate for each person who has to agree, then the change window; they hold no worker while they wait."""
    operation, place = returned_by(open), protected.operator_arguments
    asked = [
        OperationApprovalSensor(task_id=gate, subject_id=operation, gate=gate, position=position, **place)
        for position, gate in enumerate(gates_of(protected.policy), start=1)
    ]
    return [*asked, change_window(protected, open)]


def change_window(protected: Protected, open: BaseOperator, task_id: str = "await_window") -> BaseOperator:
    """Waits until what is live may be changed."""
    return ChangeWindowSensor(task_id=task_id, operation=returned_by(open), **protected.operator_arguments)


def evidence(
    protected: Protected,
    open: BaseOperator,
    changing: Sequence[BaseOperator],
    *,
    task_id: str = "evidence",
    is_expected: bool = True,
) -> BaseOperator:
    """The operation's evidence, whatever came of its steps, of which ``changing`` may change what is live."""
    return OperationEvidenceOperator(
        task_id=task_id,
        operation=returned_by(open),
        changing=[task.task_id for task in changing if isinstance(task, OperationStepOperator) and task.changes_live],
        is_expected=is_expected,
        trigger_rule=TriggerRule.ALL_DONE,
        queue=OPERATION_QUEUE,
        **protected.operator_arguments,
    )


def rehearsal(protected: Protected, open: BaseOperator) -> list[TaskGroup]:
    """The restore check of the operation's restore point, as a group; none where the policy makes it beside alone."""
    if protected.policy.restore.rehearsal == "beside":
        return []
    with TaskGroup("rehearsal", tooltip="Restored, counted and compared where nothing live is touched") as group:
        pick = OpenRehearsalOperator(task_id="pick", operation=returned_by(open), **protected.operator_arguments)
        drill_steps(protected, "restore_check", pick)
    return [group]


def snapshot(protected: Protected, open: BaseOperator | None = None) -> TaskGroup:
    """The fresh restore point of what is live, as a group, behind the operation that ``open`` opens, if any."""
    label = {"operation": returned_by(open)} if open is not None else {}
    with TaskGroup("snapshot", tooltip="A fresh restore point of what is live") as group:
        guard = store_guard(protected)
        begin = OpenOperationSnapshotOperator(task_id="open", **label, **protected.operator_arguments)
        # Before a restore it may be damage that is backed up; before a migration nothing of the kind is believed.
        before = guard
        for task in take_restore_point(protected, begin, is_damaged=open is not None):
            before >> task
            before = task
    return group
