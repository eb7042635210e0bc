"""Waits until a restore point was restored for real."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from airflow.sdk import BaseSensorOperator, Context
from airflow.sdk.exceptions import AirflowSensorTimeout, AirflowSkipException

from holdfast.errors import IntegrityError
from holdfast_airflow.operators.base import StepOperator, is_yes

_LOOK_EVERY = timedelta(minutes=1)
_WAIT = timedelta(hours=6)


class RestoreCheckSensor(StepOperator, BaseSensorOperator):
    """Waits for the restore point's signed restore check where it ``is_wanted``, else is skipped.

    Between two looks the task is rescheduled, so that it holds no worker.
    """

    template_fields: Sequence[str] = ("restore_point", "is_wanted")

    def __init__(
        self,
        *,
        is_wanted: str | bool = True,
        poke_interval: timedelta | float = _LOOK_EVERY,
        timeout: timedelta | float = _WAIT,
        **kwargs: Any,
    ) -> None:
        super().__init__(mode="reschedule", poke_interval=poke_interval, timeout=timeout, **kwargs)
        self.is_wanted = is_wanted

    def execute(self, context: Context) -> None:
        """Return when the check has passed; fails for good when it did not, or is missing after the timeout."""
        if not is_yes(self.is_wanted):
            raise AirflowSkipException("no restore check was asked for")
        try:
            super().execute(context)
        except AirflowSensorTimeout as error:
            raise AirflowSensorTimeout(
                f"restore point {self.restore_point}: no restore check after {timedelta(seconds=self.timeout)}: no "
                "record restore-check-….json is beside it (hint: did the DAG of the tier restore_check run? "
                "Clear this task once it has; the restore point itself stands)"
            ) from error

    def poke(self, context: Context) -> bool:
        """Look once; raises what fails the task for good where the check did not pass or cannot be trusted."""
        from holdfast.catalog.restore_checks import read_restore_check

        with self.step() as (environment, id):
            check = read_restore_check(environment.catalog, id, environment.verifier())
            if check is None:
                self.log.info("restore point %s: no restore check yet", id)
                return False
            if not check.passed:
                raise IntegrityError(
                    f"restore point {environment.title}/{id}: its restore check of {check.checked_at:%Y-%m-%d %H:%M} "
                    f"UTC did not pass: {'; '.join(check.faults) or 'it names no fault'}",
                    hint="Do not deploy on it. Take another snapshot once the reason is mended.",
                )
            self.log.info("restore point %s: restored and compared at %s", id, check.checked_at)
            return True
