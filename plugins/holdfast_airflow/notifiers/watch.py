"""Pages when the watch itself has failed, or hangs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowException

from holdfast.errors import HoldfastError, PolicyError
from holdfast_airflow.failures import reported
from holdfast_airflow.notifiers.failing import FailingNotifier
from holdfast_airflow.notifiers.run import Kind, finding_of
from holdfast_airflow.notifiers.told_run import ToldRun

if TYPE_CHECKING:
    from holdfast.environment import Environment
    from holdfast.watch.finding import Finding

_TIER = "watch"


class WatchNotifier(FailingNotifier):
    """Says by every pager that the policies name that nobody watches, once until it watches again.

    A round that came to its end has told itself what it could, and why it is red: then nothing is said here.
    """

    def __init__(self, *, folder: str, kind: Kind, context: Mapping[str, Any] | None = None) -> None:
        super().__init__(context)  # type: ignore[arg-type]  # a deadline's context is not a task's
        self.folder = folder
        self.kind = kind

    def notify(self, context: Mapping[str, Any]) -> None:
        """Tell of the round; raises AirflowException where one of the pagers does not take it."""
        run = ToldRun.of(context)
        if run.state == "success" or _is_told(self.kind, run, context):
            self.log.info("%s: what there was to tell is told", run)
            return
        faults: list[str] = []
        with reported(self.log):
            for environment in self._one_of_each_pager():
                faults += self._tell(environment, run)
        if faults:
            raise AirflowException("; ".join(faults))

    def _tell(self, environment: Environment, run: ToldRun) -> tuple[str, ...]:
        """Why the message did not arrive, where it did not."""
        from holdfast.watch import raise_alert

        finding = self._finding(environment, run)
        self.log.error("%s: %s", finding.kind, finding.text)
        return raise_alert(environment, finding).undelivered

    def _one_of_each_pager(self) -> Iterator[Environment]:
        """An environment that can be opened for each pager; what is wrong with the others is the watch's to say."""
        from holdfast.environment import open_environment
        from holdfast_airflow.connections import AirflowConnections

        connections, told = AirflowConnections(), set()
        for file, name, way in self._ways():
            if way not in told:
                with suppress(HoldfastError):
                    environment = open_environment(file, name, connections)
                    told.add(way)
                    yield environment

    def _ways(self) -> Iterator[tuple[Path, str, tuple[str, str | None]]]:
        """(policy file, environment, connection and tag) of all who want to be paged."""
        from holdfast.policy import load_policy
        from holdfast_airflow.operators.watch import policy_files

        for file in policy_files(Path(self.folder)):
            with suppress(PolicyError):
                for name, section in load_policy(file).environments.items():
                    if section.alerts is not None:
                        yield file, name, section.alerts.route("page")

    def _finding(self, environment: Environment, run: ToldRun) -> Finding:
        finding = finding_of(self.kind, run, environment.app, environment.name, _TIER, environment.policy)
        words = {
            "meaning": "Nobody looks at the backups of any application: until the watch runs, silence means nothing.",
            "advice": f"Read the log of the task `watch` in `{run.dag_id}`. `holdfast status` shows meanwhile what the "
            "watch would find.",
        }
        return finding.model_copy(update={**words, "dag": run.dag_id})


def _is_told(kind: Kind, run: ToldRun, context: Mapping[str, Any]) -> bool:
    """Whether the round has told by itself why it is red, or the run's failure callback has."""
    if kind == "deadline_missed":
        return run.state == "failed"
    with suppress(Exception):  # to say it twice is better than not at all
        return context["ti"].xcom_pull(task_ids=_TIER, key="return_value") is not None
    return False
