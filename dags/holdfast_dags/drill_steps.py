"""The tasks that restore a restore point for real and try it, in their order, and those that stand around them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from airflow.sdk import BaseOperator, TriggerRule, chain

from holdfast.drill import steps_of
from holdfast_airflow.operators import (
    CheckDatabaseOperator,
    EvidenceOperator,
    OpenDrillOperator,
    QueriesOperator,
    RecoveryEnvironmentOperator,
    RecoverySettingsOperator,
    RemoveRecoveryOperator,
    RestoreDatabaseOperator,
    RestoreMediaOperator,
    RunCommandOperator,
)
from holdfast_dags.protected import Protected
from holdfast_dags.restore_point_steps import returned_by
from holdfast_dags.tier_dag import RECOVERY_QUEUE

if TYPE_CHECKING:
    from holdfast.drill import StepName

Kind = Literal["restore_drill", "restore_check"]
PICKED = "{{ ti.xcom_pull(task_ids='pick') }}"
# Restored code may hang for ever, on purpose even; no restore that anybody waits for takes as long as this.
_LONGEST = timedelta(days=2)
_STEPS: Mapping[str, Callable[..., BaseOperator]] = MappingProxyType(
    {
        "recovery_environment": RecoveryEnvironmentOperator,
        "restore_database": RestoreDatabaseOperator,
        "check_database": CheckDatabaseOperator,
        "restore_media": RestoreMediaOperator,
        "recovery_settings": RecoverySettingsOperator,
        "queries": QueriesOperator,
    }
)


def drill_steps(protected: Protected, kind: Kind, pick: BaseOperator | None = None) -> BaseOperator:
    """All from ``pick`` to ``evidence``, which is returned; the recovery environment is removed right after it.

    ``pick`` is another task that opens the drill, for who tries a restore point in a group of a larger DAG. Evidence is
    recorded whatever came of the steps, and fails where they did. The removal is a teardown: it runs after a failure
    too, and its own success hides none.
    """
    if pick is None:
        pick = OpenDrillOperator(
            task_id="pick",
            kind=kind,
            media="sample" if protected.policy.media else "none",
            **protected.operator_arguments,
        )
    arguments = _arguments(protected, pick)
    steps = [_step(each, arguments) for each in steps_of(protected.policy, kind)]
    evidence = EvidenceOperator(task_id="evidence", trigger_rule=TriggerRule.ALL_DONE, **arguments)
    chain(pick, *steps, evidence)
    remove = RemoveRecoveryOperator(task_id="remove_recovery", **arguments)
    evidence >> remove
    # Both setups: an environment that was only half made has to go, too. Data left behind is worth a red run.
    remove.as_teardown(setups=[pick, steps[0]], on_failure_fail_dagrun=True)
    return evidence


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
