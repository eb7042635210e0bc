"""The steps of a drill, each an operator: one function of the engine apiece."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from holdfast_airflow.operators.drill import DrillStepOperator

if TYPE_CHECKING:
    from holdfast.environment import Environment
    from holdfast.manifest.evidence import Step
    from holdfast.values.ids import RestorePointId


class RecoveryEnvironmentOperator(DrillStepOperator):
    """Makes the place that the drill restores into: a throwaway cluster, or a database on the recovery server."""

    def take(self, environment: Environment, drill: RestorePointId) -> Step:
        """A place that an earlier attempt made is used again."""
        from holdfast.drill import recovery_environment

        return recovery_environment(environment, drill, progress=self.progress())


class RestoreDatabaseOperator(DrillStepOperator):
    """Restores the database for real, every message of pg_restore classified and every table counted."""

    def take(self, environment: Environment, drill: RestorePointId) -> Step:
        """What an earlier attempt restored is dropped first."""
        from holdfast.drill import restore_database

        return restore_database(environment, drill, progress=self.progress())


class CheckDatabaseOperator(DrillStepOperator):
    """Reads the restored database for damage: its heaps, indexes, constraints and sequences."""

    def take(self, environment: Environment, drill: RestorePointId) -> Step:
        """It only reads."""
        from holdfast.drill import check_database

        return check_database(environment, drill, progress=self.progress())


class RestoreMediaOperator(DrillStepOperator):
    """Restores media files, a sample or all as the drill was asked for, and compares their hashes."""

    def take(self, environment: Environment, drill: RestorePointId) -> Step:
        """Files that an earlier attempt restored are restored again."""
        from holdfast.drill import restore_media

        return restore_media(environment, drill, progress=self.progress())


class RecoverySettingsOperator(DrillStepOperator):
    """Proves that the application's commands can reach nothing outside, and makes their temporary settings."""

    def take(self, environment: Environment, drill: RestorePointId) -> Step:
        """Proven before the first command runs; no payment, e-mail or webhook can leave."""
        from holdfast.drill import recovery_settings

        return recovery_settings(environment, drill, progress=self.progress())


class RunCommandOperator(DrillStepOperator):
    """Runs one of the policy's commands against the restored application."""

    def __init__(self, *, command_index: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.command_index = command_index

    def take(self, environment: Environment, drill: RestorePointId) -> Step:
        """A command that hangs is ended, with all that it started, when its time is over."""
        from holdfast.drill import run_command

        return run_command(environment, drill, self.command_index, progress=self.progress())

    def say(self, note: str) -> None:
        """What a command prints is what it prints, and no warning."""
        self.log.info("%s", note)


class QueriesOperator(DrillStepOperator):
    """Asks the restored database the policy's questions, by area, and looks codes up as people would."""

    def take(self, environment: Environment, drill: RestorePointId) -> Step:
        """Each question runs in a transaction that cannot write."""
        from holdfast.drill import check_queries

        return check_queries(environment, drill, progress=self.progress())
