"""The steps of a drill that recovers to an instant, besides those that every drill takes: one function apiece."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast_airflow.operators.drill import DrillStepOperator

if TYPE_CHECKING:
    from holdfast.environment import Environment
    from holdfast.manifest.evidence import Step
    from holdfast.values.ids import RestorePointId


class RecoverToInstantOperator(DrillStepOperator):
    """Fetches the base backup and replays WAL up to the instant, in the recovery environment."""

    def take(self, environment: Environment, drill: RestorePointId) -> Step:
        """What an earlier attempt recovered is removed first."""
        from holdfast.drill import recover_to_instant

        return recover_to_instant(environment, drill, progress=self.progress())


class CheckPagesOperator(DrillStepOperator):
    """Compares the checksum of every page of the recovered cluster, where it has checksums."""

    def take(self, environment: Environment, drill: RestorePointId) -> Step:
        """It only reads."""
        from holdfast.drill import check_pages

        return check_pages(environment, drill, progress=self.progress())


class CheckRecoveredOperator(DrillStepOperator):
    """Looks for the marker that must be there at that instant, and reads tables and indexes for damage."""

    def take(self, environment: Environment, drill: RestorePointId) -> Step:
        """It only reads."""
        from holdfast.drill import check_recovered

        return check_recovered(environment, drill, progress=self.progress())
