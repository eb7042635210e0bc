"""Expires the environment's old restore points, and media and exports that none of them needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import Context

from holdfast_airflow import runs
from holdfast_airflow.operators.base import EngineOperator, Facts, is_yes

if TYPE_CHECKING:
    from holdfast.expire import ExpireReport


class ExpireOperator(EngineOperator):
    """Deletes what the policy's retention lets go, never the newest verified restore point or one on hold.

    With ``is_dry_run`` it only tells what it would delete.
    """

    template_fields = ("is_dry_run",)

    def __init__(self, *, is_dry_run: str | bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.is_dry_run = is_dry_run

    def execute(self, context: Context) -> Facts:
        """Which restore points were deleted and why, and in numbers what else went and what stays."""
        from holdfast.expire import expire

        with self.engine() as environment:
            report = expire(
                environment, now=runs.opened_at(context), dry_run=is_yes(self.is_dry_run), progress=self.progress()
            )
        self._tell(report)
        return {
            **report.as_json(),
            "kept": len(report.kept),
            "media": report.media.figures(),
            "exports": {"kept": len(report.exports.kept), "deleted": len(report.exports.deleted)},
            "evidence": {"kept": len(report.evidence.kept), "deleted": len(report.evidence.deleted)},
            "base_backups": {"kept": len(report.base_backups.kept), "deleted": len(report.base_backups.deleted)},
        }

    def _tell(self, report: ExpireReport) -> None:
        did = "would delete" if report.is_dry_run else "deleted"
        for deletion in report.deleted:
            self.log.info("%s %s: %s", did, deletion.id, deletion.reason)
        for kind, gone in report.media.deletions():
            self.log.info("%s %s %s: %s", did, kind, gone.id, gone.reason)
        for export in report.exports.deleted:
            self.log.info("%s export %s: %s", did, export.id, export.reason)
        for evidence in report.evidence.deleted:
            self.log.info("%s evidence %s: %s", did, evidence.id, evidence.reason)
        for base in report.base_backups.deleted:
            self.log.info("%s base backup %s: %s", did, base.id, base.reason)
        for run in report.wal.deleted:
            self.log.info("%s %s: %s", did, run, run.reason)
        for line in report.wal.window_lines():
            self.log.info("%s", line)
        for left in report.wal.left:
            self.log.warning("left %s", left)
        if report.media.shards_left is not None:
            self.log.warning("left all shards: %s", report.media.shards_left)
