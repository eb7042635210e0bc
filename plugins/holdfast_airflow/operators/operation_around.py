"""What stands around an operation's steps: its rehearsal, whether it goes on, and the way back after a migration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.standard.utils.skipmixin import SkipMixin
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException

from holdfast_airflow import runs
from holdfast_airflow.operators.base import Facts
from holdfast_airflow.operators.operation import OperationOperator

if TYPE_CHECKING:
    from collections.abc import Sequence


class OpenRehearsalOperator(OperationOperator):
    """Opens the restore check of the operation's restore point, made before anybody is asked; returns its id."""

    def execute(self, context: Context) -> str:
        """The same run names the same rehearsal, by which the operation finds it."""
        from holdfast.drill import open_drill
        from holdfast.operation import read_operation

        with self.opened() as (environment, operation):
            opened = read_operation(environment, operation)
            rehearsal = open_drill(
                environment,
                kind="restore_check",
                opened_at=runs.opened_at(context),
                origin=runs.origin(context),
                restore_point=opened.point,
                media="none" if opened.request.get("what", "database") == "database" else "sample",
                reason=opened.reason,
                requested_by=opened.requested_by,
            )
        self.log.info("rehearsal %s of restore point %s", rehearsal, opened.restore_point)
        return str(rehearsal)


class NeededOperator(OperationOperator, SkipMixin):
    """Skips all behind it but ``kept`` (ids of tasks) where the plan says that there is nothing more to do."""

    def __init__(self, *, kept: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kept = frozenset(kept)

    def execute(self, context: Context) -> Facts:
        """Whether the operation goes on."""
        from holdfast.operation import names_of_opened, read_operation, read_plan

        with self.opened() as (environment, operation):
            names = names_of_opened(read_operation(environment, operation), read_plan(environment, operation))
        if len(names) > 1:
            return {"needed": True}
        self.log.info("operation %s: ends here, as its plan says", operation)
        self.show(context, {"needed": False})
        behind = context["task"].get_flat_relatives(upstream=False)
        # Raises what tells Airflow to skip them; each by its name, for some would run behind skipped ones.
        self.skip(context["ti"], [task for task in behind if task.task_id not in self.kept])
        return {"needed": False}


class OpenReturnOperator(OperationOperator):
    """Opens the restore of the snapshot behind a migration that has failed; ``operation`` is the migration."""

    def execute(self, context: Context) -> str:
        """The id of the restore; skipped where the migration has not begun, so that there is nothing to undo."""
        from holdfast.operation.returning import open_return
        from holdfast.values.ids import RestorePointId

        migration = RestorePointId.recognised(str(self.operation))
        if migration is None:
            raise AirflowSkipException("no migration was opened")
        with self.engine() as environment:
            operation = open_return(environment, migration)
        if operation is None:
            raise AirflowSkipException(f"migration {migration}: its command has not begun, so there is nothing to undo")
        self.log.info("operation %s would restore the snapshot behind %s", operation, migration)
        return str(operation)
