"""Takes a base backup: a copy of the whole cluster, which exists once the WAL that it needs is stored too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator, Context, PokeReturnValue
from airflow.sdk.exceptions import AirflowSensorTimeout

from holdfast.errors import TransientError
from holdfast.values.duration import Duration
from holdfast_airflow import runs
from holdfast_airflow.assets import tell_outlets
from holdfast_airflow.operators.base import EngineOperator, is_yes

if TYPE_CHECKING:
    from holdfast.environment import Environment

# The WAL that a base backup needs is usually stored within seconds of it: worth a short wait in place.
_LOOK = "20s"
_LOOK_EVERY_S = 20.0


class StoreBaseBackupOperator(EngineOperator):
    """Streams ``pg_basebackup``, compressed and encrypted, into the store; returns the base backup's id.

    Incremental where the policy and the server allow it, unless ``full``.
    """

    template_fields = ("full",)

    def __init__(self, *, full: str | bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.full = full

    def execute(self, context: Context) -> str:
        """The same run names the same base backup, so a second attempt finds or replaces what the first one left."""
        from holdfast.backup.base import store_base_backup

        self._say_why(context)
        with self.engine() as environment:
            id = store_base_backup(
                environment,
                opened_at=runs.opened_at(context),
                origin=runs.origin(context),
                full=is_yes(self.full),
                progress=self.progress(),
            )
        self.log.info("base backup %s: stored, not committed yet", id)
        return str(id)

    def _say_why(self, context: Context) -> None:
        """What made it necessary, where an event has started the run."""
        for events in (context.get("triggering_asset_events") or {}).values():
            for event in events:
                self.log.warning("started for: %s", (event.extra or {}).get("reason"))


class CommitBaseBackupOperator(EngineOperator, BaseSensorOperator):
    """Writes the signed manifest of the ``base_backup`` with that id, once all WAL that it needs is stored.

    Between two looks the task is rescheduled, so that it holds no worker while it waits.
    """

    template_fields: Sequence[str] = ("base_backup",)

    def __init__(self, *, base_backup: str, **kwargs: Any) -> None:
        super().__init__(mode="reschedule", poke_interval=_LOOK_EVERY_S, **kwargs)
        self.base_backup = base_backup
        self._lacking = ""

    def execute(self, context: Context) -> Any:
        """The base backup's facts, which the events of this task's outlets carry too."""
        try:
            return super().execute(context)
        except AirflowSensorTimeout as error:
            raise AirflowSensorTimeout(
                f"{self._lacking} (waited for {timedelta(seconds=self.timeout)} in all; hint: Is the DAG of the tier "
                "wal running? Clear this task once it has caught up)"
            ) from error

    def poke(self, context: Context) -> PokeReturnValue:
        """Commit, or say what is missing; raises what fails the task for good where waiting does not help."""
        from holdfast.backup.base import commit_base_backup
        from holdfast.values.ids import RestorePointId

        with self.engine() as environment:
            try:
                id = RestorePointId.parse(str(self.base_backup))
                facts = commit_base_backup(_impatient(environment), id, progress=self.progress())
            except TransientError as error:
                self._lacking = error.message
                self.log.info("%s", error.message)
                return PokeReturnValue(is_done=False)
        tell_outlets(self, context, facts.as_json())
        return PokeReturnValue(is_done=True, xcom_value=facts.as_json())


def _impatient(environment: Environment) -> Environment:
    """The environment, in which nothing waits for WAL as long as the policy allows: the task itself does."""
    rules = environment.policy.wal.model_copy(update={"wait_for_wal": Duration.parse(_LOOK)})
    return replace(environment, policy=environment.policy.model_copy(update={"wal": rules}))
