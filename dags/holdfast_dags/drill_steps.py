"""The tasks that restore for real, a restore point or an instant, and try it, and those that stand around them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from airflow.sdk import BaseOperator, TriggerRule, chain

from holdfast.drill import gates_of, steps_of
from holdfast_airflow.operators import (
    CheckDatabaseOperator,
    CheckPagesOperator,
    CheckRecoveredOperator,
    EvidenceOperator,
    OpenDrillOperator,
    QueriesOperator,
    RecoverToInstantOperator,
    RecoveryEnvironmentOperator,
    RecoverySettingsOperator,
    RemoveRecoveryOperator,
    RestoreDatabaseOperator,
    RestoreMediaOperator,
    RunCommandOperator,
)
from holdfast_airflow.sensors import DrillApprovalSensor
from holdfast_dags.protected import Protected
from holdfast_dags.restore_point_steps import returned_by
from holdfast_dags.tier_dag import RECOVERY_QUEUE

if TYPE_CHECKING:
    from holdfast.drill import StepName

Kind = Literal["restore_drill", "restore_check", "pitr_drill", "pitr_check"]
PICKED = "{{ ti.xcom_pull(task_ids='pick') }}"
DRILLS_AT_ONCE = 3
"""A drill that waits for people over a weekend must not keep the next one from whoever needs it."""
# Restored code may hang for ever, on purpose even; no restore that anybody waits for takes as long as this.
_LONGEST = timedelta(days=2)
_STEPS: Mapping[str, Callable[..., BaseOperator]] = MappingProxyType(
    {
        "recovery_environment": RecoveryEnvironmentOperator,
        "restore_database": RestoreDatabaseOperator,
        "check_database": CheckDatabaseOperator,
        "recover_to_instant": RecoverToInstantOperator,
        "check_pages": CheckPagesOperator,
        "check_recovered": CheckRecoveredOperator,
        "restore_media": RestoreMediaOperator,
        "recovery_settings": RecoverySettingsOperator,
        "queries": QueriesOperator,
    }
)


def drill_steps(protected: Protected, kind: Kind, pick: BaseOperator) -> BaseOperator:
    """All from ``pick``, which opens the drill, to ``evidence``, which is returned.

    Evidence is recorded whatever came of the steps, and fails where they did. The recovery environment is removed right
    after it by a teardown: that runs after a failure too, and its own success hides none.
    """
    arguments = _arguments(protected, pick)
    steps = [_step(each, arguments) for each in steps_of(protected.policy, kind)]
    evidence = EvidenceOperator(task_id="evidence", trigger_rule=TriggerRule.ALL_DONE, **arguments)
    chain(pick, *steps, evidence)
    remove = RemoveRecoveryOperator(task_id="remove_recovery", **arguments)
    evidence >> remove
    # Both setups: an environment that was only half made has to go, too. Data left behind is worth a red run.
    remove.as_teardown(setups=[pick, steps[0]], on_failure_fail_dagrun=True)
    return evidence


def pick_restore_point(protected: Protected, kind: Literal["restore_drill", "restore_check"]) -> BaseOperator:
    """The task that opens a drill of a restore point."""
    media: Literal["sample", "none"] = "sample" if protected.policy.media else "none"
    return OpenDrillOperator(task_id="pick", kind=kind, media=media, **protected.operator_arguments)


def drill_gates(protected: Protected) -> list[BaseOperator]:
    """One gate for each person who has to agree; they hold no worker while they wait."""
    return [
        DrillApprovalSensor(
            task_id=gate, subject_id=PICKED, gate=gate, position=position, **protected.operator_arguments
        )
        for position, gate in enumerate(gates_of(protected.policy), start=1)
    ]


def commands_of(protected: Protected, kind: Kind) -> dict[str, str]:
    """The policy's commands by the ids of the tasks that run them."""
    drill = protected.policy.drill
    commands = drill.commands if drill else ()
    return {
        step.name: commands[step.command_index]
        for step in steps_of(protected.policy, kind)
        if step.command_index is not None
    }


def _step(step: StepName, arguments: Mapping[str, Any]) -> BaseOperator:
    if step.command_index is None:
        return _STEPS[step.name](task_id=step.name, **arguments)
    return RunCommandOperator(
        task_id=step.name, task_display_name=step.title, command_index=step.command_index, **arguments
    )


def _arguments(protected: Protected, pick: BaseOperator) -> dict[str, Any]:
    place = protected.operator_arguments
    return {"drill": returned_by(pick), "queue": RECOVERY_QUEUE, "execution_timeout": _LONGEST, **place}
