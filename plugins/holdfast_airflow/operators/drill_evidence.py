"""Records what a drill has shown, and clears up after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import Context

from holdfast.errors import IntegrityError
from holdfast_airflow.operators.base import Facts
from holdfast_airflow.operators.drill import SHOWN, DrillOperator, first_of

if TYPE_CHECKING:
    from holdfast.drill import EvidenceFacts


class EvidenceOperator(DrillOperator):
    """Writes the signed evidence, whatever came of the steps, and fails for good where the drill failed."""

    def execute(self, context: Context) -> Facts:
        """The verdict, the seconds of the restore and where the evidence lies; left behind when it fails, too."""
        from holdfast.drill import record_evidence

        with self.opened() as (environment, drill):
            found = record_evidence(environment, drill, progress=self.progress())
            facts = self._facts(found)
            self._tell(found)
            if found.verdict == "failed":
                self.show(context, facts)
                why = first_of(found.findings) or "see its steps"
                raise IntegrityError(
                    f"{environment.title}: restore of {found.restore_point} failed: {why}",
                    hint=f"Read the evidence: holdfast evidence show {self._place} {drill}",
                )
        return facts

    @property
    def _place(self) -> str:
        return f"{self.policy_file} {self.environment}"

    def _facts(self, found: EvidenceFacts) -> Facts:
        return {
            **found.as_json(),
            "findings": list(found.findings[:SHOWN]),
            "findings_left_out": max(0, len(found.findings) - SHOWN),
            "drill": str(self.drill),
            "rto_seconds": found.rto_seconds,
        }

    def _tell(self, found: EvidenceFacts) -> None:
        for finding in found.findings:
            self.log.error("%s", finding)
        self.log.info("%s: %s; evidence %s", found.restore_point, found.verdict, found.key)


class RemoveRecoveryOperator(DrillOperator):
    """Removes the recovery environment and all that was decrypted into it; it may run any number of times."""

    def execute(self, context: Context) -> Facts:
        """Whether there was anything to remove."""
        from holdfast.drill import remove_recovery

        with self.opened() as (environment, drill):
            removed = remove_recovery(environment, drill)
        self.log.info("recovery environment of %s: %s", drill, "removed" if removed else "there was none")
        return {"removed": removed}


class CloseDrillOperator(DrillOperator):
    """Closes the drill once everybody who was asked has agreed, which it reads from signed records alone."""

    def execute(self, context: Context) -> Facts:
        """Who has agreed; raises where an approval is missing, altered or too old, whatever Airflow says."""
        from holdfast.drill import close_drill

        with self.opened() as (environment, drill):
            return dict(close_drill(environment, drill).as_json())
