"""Records what an operation has done, whatever came of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowSkipException

from holdfast.errors import RestoreError
from holdfast_airflow.operators.base import Facts
from holdfast_airflow.operators.drill import SHOWN, first_of
from holdfast_airflow.operators.operation import BEGUN, OperationOperator

if TYPE_CHECKING:
    from holdfast.operation.ending import Ending


class OperationEvidenceOperator(OperationOperator):
    """Writes the signed evidence, and fails for good where the operation has failed.

    ``changing`` are the tasks that change what is live. Where one of them was cut off, nothing is recorded: it has to
    be cleared, and finds out for itself how far it came. Without ``is_expected`` it is skipped where no operation was
    opened.
    """

    def __init__(self, *, changing: Sequence[str] = (), is_expected: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.changing = tuple(changing)
        self.is_expected = is_expected

    def execute(self, context: Context) -> Facts:
        """The verdict and where the evidence lies; left behind when it fails, too."""
        from holdfast.operation.ending import end_operation
        from holdfast.values.ids import RestorePointId

        if not self.is_expected and RestorePointId.recognised(str(self.operation)) is None:
            raise AirflowSkipException("no operation was opened")
        with self.opened() as (environment, operation):
            ending = end_operation(environment, operation, begun=self._begun(context))
            found = ending.evidence
            facts = self._facts(ending)
            self._tell(ending)
            if found.verdict == "failed":
                self.show(context, facts)
                why = first_of(found.findings) or f"steps that did not run: {', '.join(ending.not_run)}"
                raise RestoreError(
                    f"{environment.title}: {operation.tier} with restore point {found.restore_point} failed: {why}",
                    hint=f"Read the evidence: holdfast evidence show {self.policy_file} {self.environment} {operation}",
                )
        return facts

    def _begun(self, context: Context) -> tuple[str, ...]:
        """The steps that have begun to change what is live, as their tasks have left word."""
        told = (context["ti"].xcom_pull(task_ids=task_id, key=BEGUN) for task_id in self.changing)
        return tuple(name for name in told if isinstance(name, str))

    def _facts(self, ending: Ending) -> Facts:
        found = ending.evidence
        return {
            **found.as_json(),
            "findings": list(found.findings[:SHOWN]),
            "findings_left_out": max(0, len(found.findings) - SHOWN),
            "operation": str(self.operation),
            "not_run": list(ending.not_run),
        }

    def _tell(self, ending: Ending) -> None:
        for finding in ending.evidence.findings:
            self.log.error("%s", finding)
        if ending.left:
            self.log.error("%s", ending.left)
        self.log.info("%s: %s; evidence %s", self.operation, ending.evidence.verdict, ending.evidence.key)
