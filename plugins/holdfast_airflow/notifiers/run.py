"""Pages when a run of an environment's DAG has failed, or has not ended by its deadline."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from airflow.sdk.exceptions import AirflowException

from holdfast_airflow.failures import reported
from holdfast_airflow.notifiers.failing import FailingNotifier
from holdfast_airflow.notifiers.told_run import ToldRun

if TYPE_CHECKING:
    from holdfast.environment import Environment
    from holdfast.policy import EnvironmentPolicy
    from holdfast.watch.finding import Finding

Kind = Literal["run_failed", "deadline_missed"]


class HoldfastNotifier(FailingNotifier):
    """Says once for each run what has become of it, by the policy's section ``alerts``; without one, to the log alone.

    It runs apart from the tasks: in the DAG processor where a run has failed, in a slot of the executor where a
    deadline has passed. Fails where nobody could be told.
    """

    def __init__(
        self,
        *,
        policy_file: str,
        environment: str,
        tier: str,
        kind: Kind,
        context: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(context)  # type: ignore[arg-type]  # a deadline's context is not a task's
        self.policy_file = policy_file
        self.environment = environment
        self.tier = tier
        self.kind = kind

    def notify(self, context: Mapping[str, Any]) -> None:
        """Tell of the run; raises AirflowException where the message did not arrive."""
        run = ToldRun.of(context)
        if run.state == "success":
            self.log.info("%s: late, but it has ended well since", run)
            return
        # Where it has failed, its deadline passes as well. That is a second chance to say that it failed, and no second
        # message: what is told is not told again.
        kind: Kind = "run_failed" if run.state == "failed" else self.kind
        with reported(self.log):
            faults = self._tell(kind, run)
        if faults:
            raise AirflowException("; ".join(faults))

    def _tell(self, kind: Kind, run: ToldRun) -> tuple[str, ...]:
        """Why the message did not arrive, where it did not."""
        # Imported here: every parse of a DAG file would pay for the engine's libraries otherwise.
        from holdfast.policy import load_policy
        from holdfast.watch import raise_alert

        policy = load_policy(Path(self.policy_file))
        section = policy.environments[self.environment]
        finding = finding_of(kind, run, policy.app, self.environment, self.tier, section)
        self.log.error("%s: %s", finding.kind, finding.text)
        if section.alerts is None or section.alerts.severities.get(kind) == "off":
            self.log.warning("nobody is told: %s wants it so, or has no section alerts", Path(self.policy_file).name)
            return ()
        report = raise_alert(self._opened(), finding)
        for note in report.notes:
            self.log.warning("%s", note)
        return report.undelivered

    def _opened(self) -> Environment:
        from holdfast.environment import open_environment
        from holdfast_airflow.connections import AirflowConnections

        return open_environment(Path(self.policy_file), self.environment, AirflowConnections())


def finding_of(kind: Kind, run: ToldRun, app: str, environment: str, tier: str, policy: EnvironmentPolicy) -> Finding:
    """What is said of the run."""
    from holdfast.watch.judging.runs import deadline_missed, run_failed

    if kind == "deadline_missed":
        return deadline_missed(app, environment, tier, policy, run.dag_id, run.run_id, run.since)
    return run_failed(app, environment, tier, policy, run.dag_id, run.run_id, run.failed_tasks, run.since)
