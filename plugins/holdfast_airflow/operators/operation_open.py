"""Opens an operation on the live application: what was asked for, by whom, why and within which change window."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import Context
from pydantic import JsonValue

from holdfast_airflow import runs
from holdfast_airflow.operation_form import OTHER_SOURCE, Asked
from holdfast_airflow.operators.base import EngineOperator
from holdfast_airflow.restore_forms import MigrationForm, RestoreForm, RollbackForm, SwitchBackForm

if TYPE_CHECKING:
    from holdfast.environment import Environment
    from holdfast.operation import OperationKind
    from holdfast.values.ids import RestorePointId


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a run is asked for: answers that every operation needs, the restore point, and what only its kind needs."""

    asked: Asked
    restore_point: RestorePointId
    request: Mapping[str, JsonValue] = field(default_factory=dict)


class OpenOperationOperator(EngineOperator):
    """Names the operation after the DAG run and writes down what was asked for; returns the operation's id."""

    template_fields = ()
    ui_color = "#f5e6e3"
    kind: ClassVar[OperationKind]

    def execute(self, context: Context) -> str:
        """The same run names the same operation, so a second attempt opens no second one."""
        from holdfast.operation import open_operation

        with self.engine() as environment:
            wanted = self.wanted(environment, context)
            operation = open_operation(
                environment,
                kind=self.kind,
                opened_at=runs.opened_at(context),
                origin=runs.origin(context),
                restore_point=wanted.restore_point,
                request={**wanted.request, **({OTHER_SOURCE: True} if wanted.asked.other_source else {})},
                reason=wanted.asked.reason,
                requested_by=context["dag_run"].triggering_user_name,
                window=wanted.asked.window,
                approval="asked",
            )
        self.log.info("operation %s with restore point %s", operation, wanted.restore_point)
        return str(operation)

    @abstractmethod
    def wanted(self, environment: Environment, context: Context) -> Wanted:
        """What the run's form asks for; raises UsageError for what cannot be meant."""


class OpenRestoreOperator(OpenOperationOperator):
    """Opens a restore of database, media or both, over what is live or as a rehearsal alone."""

    kind = "restore"

    def wanted(self, environment: Environment, context: Context) -> Wanted:
        """As the form says."""
        form = RestoreForm.of(context["params"])
        form.demand_possible(environment.title, has_media=environment.policy.media is not None)
        return Wanted(form.asked, form.restore_point, {"what": form.what, "target": form.target})


class OpenSwitchBackOperator(OpenOperationOperator):
    """Opens the way back to what the latest restore has put aside."""

    kind = "switch_back"

    def wanted(self, environment: Environment, context: Context) -> Wanted:
        """The restore point that is switched away from is the one that took the place of what is kept."""
        from holdfast.operation import point_of_switch

        form = SwitchBackForm.of(context["params"])
        form.demand_possible(environment.title, has_media=environment.policy.media is not None)
        return Wanted(form.asked, point_of_switch(environment, form.what), {"what": form.what, "of": None})


class OpenRollbackOperator(OpenOperationOperator):
    """Opens the rollback of a deployment, to the snapshot that was taken before it."""

    kind = "rollback"

    def wanted(self, environment: Environment, context: Context) -> Wanted:
        """The newest snapshot with the label, or with any that begins with pre-deploy-."""
        from holdfast.operation.rollback import find_label

        form = RollbackForm.of(context["params"])
        point = find_label(environment, form.label)
        return Wanted(form.asked, point, {"what": "database", "label": form.label})


class OpenMigrationOperator(OpenOperationOperator):
    """Opens a guarded migration, behind the snapshot that the same run has taken."""

    kind = "guarded_migration"

    def wanted(self, environment: Environment, context: Context) -> Wanted:
        """The run's own snapshot, whose id follows from the run."""
        from holdfast.backup.tiers import snapshot_tier
        from holdfast.values.ids import RestorePointId

        form = MigrationForm.of(context["params"])
        tier = snapshot_tier(environment.policy)
        return Wanted(form.asked, RestorePointId.make(runs.opened_at(context), tier, runs.origin(context)))


class OpenOperationSnapshotOperator(EngineOperator):
    """Opens the restore point that stands behind an operation, under a label; returns its id."""

    template_fields = ("operation",)

    def __init__(self, *, operation: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.operation = operation

    def execute(self, context: Context) -> str:
        """The run's own: the operation finds it by the moment and the name of the run."""
        from holdfast.backup import open_restore_point
        from holdfast.backup.tiers import snapshot_tier

        with self.engine() as environment:
            id = open_restore_point(
                environment,
                tier=snapshot_tier(environment.policy),
                opened_at=runs.opened_at(context),
                origin=runs.origin(context),
                label=self._label(context),
            )
        self.log.info("restore point %s", id)
        return str(id)

    def _label(self, context: Context) -> str:
        """``pre-restore-ID`` of the operation that it stands behind; of a migration as the form says, or by its day."""
        from holdfast.values.ids import RestorePointId

        operation = RestorePointId.recognised(str(self.operation))
        if operation is not None:
            return f"pre-{operation.tier}-{operation}"
        given = MigrationForm.of(context["params"]).label
        return f"pre-migration-{given or f'{runs.opened_at(context):%Y%m%dT%H%M%SZ}'}"
