"""Checks the WAL in the store, and the base backups that it is replayed upon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import Context

from holdfast.errors import IntegrityError
from holdfast_airflow.operators.base import EngineOperator, Facts, is_yes

if TYPE_CHECKING:
    from holdfast.verify.wal_report import WalCheckReport

SHOWN = 50
"""So many faults go into XCom; the log has all."""
_NAMED = 3


class WalCheckOperator(EngineOperator):
    """Proves that WAL is there without a gap from each kept base backup on, and reads what no check has read yet.

    Fails for good where something is missing or damaged. ``everything``: what was found whole before is read again.
    """

    template_fields = ("everything",)

    def __init__(self, *, everything: str | bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.everything = everything

    def execute(self, context: Context) -> Facts:
        """What was read and what is wrong; the facts are left behind when the task fails, too."""
        from holdfast.verify.wal import check_wal

        with self.engine() as environment:
            report = check_wal(environment, everything=is_yes(self.everything), progress=self.progress())
            faults = [str(fault) for fault in report.faults]
            facts: Facts = {**report.as_json(), "faults": faults[:SHOWN]}
            self._tell(report)
            if not report.ok:
                self.show(context, facts)
                more = f"; and {len(faults) - _NAMED} more" if len(faults) > _NAMED else ""
                raise IntegrityError(
                    f"WAL of {environment.title}: {'; '.join(faults[:_NAMED])}{more}",
                    hint="Take a base backup now: from its end on, every instant can be recovered again.",
                )
        return facts

    def _tell(self, report: WalCheckReport) -> None:
        for note in report.notes:
            self.log.warning("%s", note)
        for fault in report.faults:
            self.log.error("%s", fault)
