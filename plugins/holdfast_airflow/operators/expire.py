"""Expires the environment's old restore points, and media and exports that none of them needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import Context

from holdfast_airflow import runs
from holdfast_airflow.operators.base import EngineOperator, Facts

if TYPE_CHECKING:
    from holdfast.expire import ExpireReport


class ExpireOperator(EngineOperator):
    """Deletes what the policy's retention lets go, never the newest verified restore point or one on hold."""

    template_fields = ()

    def execute(self, context: Context) -> Facts:
        """Which restore points were deleted and why, and in numbers what else went and what stays."""
        from holdfast.expire import expire

        with self.engine() as environment:
            report = expire(environment, now=runs.opened_at(context), progress=self.progress())
        self._tell(report)
        return {
            **report.as_json(),
            "kept": len(report.kept),
            "media": report.media.figures(),
            "exports": {"kept": len(report.exports.kept), "deleted": len(report.exports.deleted)},
        }

    def _tell(self, report: ExpireReport) -> None:
        for deletion in report.deleted:
            self.log.info("deleted %s: %s", deletion.id, deletion.reason)
        for kind, gone in report.media.deletions():
            self.log.info("deleted %s %s: %s", kind, gone.id, gone.reason)
        for export in report.exports.deleted:
            self.log.info("deleted export %s: %s", export.id, export.reason)
        if report.media.shards_left is not None:
            self.log.warning("left all shards: %s", report.media.shards_left)
