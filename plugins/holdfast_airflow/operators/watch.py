"""One round of the watch over all policies of a folder of DAGs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowException

from holdfast_airflow import metrics
from holdfast_airflow.failures import reported
from holdfast_airflow.operators.base import XCOM_RETURN_KEY, Facts
from holdfast_airflow.progress import LoggedProgress

if TYPE_CHECKING:
    from holdfast.watch.reports import WatchReport


def policy_files(folder: Path) -> list[Path]:
    """The policies that Airflow makes DAGs of: each has a module of the same name beside it."""
    return sorted(file for file in folder.glob("*.yaml") if file.with_suffix(".py").exists())


class WatchOperator(BaseOperator):
    """Looks into every environment's store, and tells people what is not as it must be.

    Whatever it finds, the task is a success: what fails it is a round that could not be done, or a message that
    reached nobody. The policies are read by each round, so that a broken one is a finding among others.
    """

    ui_color = "#e6f0ea"

    def __init__(self, *, folder: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.folder = folder
        self._is_working = False

    def execute(self, context: Context) -> Facts:
        """What was found, and who was told of what, in each environment."""
        # Imported here: every parse of a DAG file would pay for the engine's libraries otherwise.
        from holdfast.watch import watch_all
        from holdfast_airflow.connections import AirflowConnections

        files = policy_files(Path(self.folder))
        self._is_working = True
        try:
            with reported(self.log):
                report = watch_all(files, AirflowConnections(), progress=LoggedProgress(self.log))
        finally:
            self._is_working = False
        facts = report.as_json()
        # Before it fails: the callback of a failed run sees by it that the round has said what it could.
        context["ti"].xcom_push(key=XCOM_RETURN_KEY, value=facts)
        self._tell(report)
        metrics.tell_watched(report, files)
        if faults := _faults(report):
            raise AirflowException("; ".join(faults))
        return facts

    def on_kill(self) -> None:
        """SIGTERM: leave the round; what it has told by then is told, and the next one goes on from there."""
        if self._is_working:
            self._is_working = False
            raise SystemExit("ended by SIGTERM")

    def _tell(self, report: WatchReport) -> None:
        for finding in report.findings:
            level = self.log.error if finding.severity == "page" else self.log.warning
            level("%s %s/%s %s: %s", finding.severity, finding.app, finding.environment, finding.kind, finding.text)
        for note in report.notes:
            self.log.warning("%s", note)
        for fault in _faults(report):
            self.log.error("%s", fault)
        if not report.findings:
            self.log.info("nothing was found")


def _faults(report: WatchReport) -> list[str]:
    """What makes a round none: environments that were not looked at, and messages that did not arrive."""
    faults = [f"{place}: not watched: {reason}" for place, reason in report.failed.items()]
    for round in report.rounds:
        faults += [f"{round.app}/{round.environment}: not delivered: {reason}" for reason in round.undelivered]
    return faults
