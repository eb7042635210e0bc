"""Reads stored media back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import Context

from holdfast.errors import IntegrityError
from holdfast_airflow import runs
from holdfast_airflow.operators.base import EngineOperator, Facts

if TYPE_CHECKING:
    from holdfast.verify import MediaCheckReport

SHOWN = 50
"""So many damaged files go into XCom, each with the snapshots that it hits; the log names all that the report does."""


class MediaCheckOperator(EngineOperator):
    """Reads shards, decrypts them and compares every file's hash; fails for good where something is damaged."""

    template_fields = ()

    def __init__(self, *, fraction: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fraction = fraction

    def execute(self, context: Context) -> Facts:
        """What was read and what is damaged; the facts are left behind when the task fails, too."""
        from holdfast.verify import check_media

        with self.engine() as environment:
            now = runs.opened_at(context)
            report = check_media(environment, fraction=self.fraction, now=now, progress=self.progress())
            facts = _facts(report)
            self._tell(report)
            if not report.ok:
                self.show(context, facts)
                raise IntegrityError(
                    f"media of {environment.title}: {_words(report)}",
                    hint="Take a media snapshot now: it packs again what the source still has. Then check once more.",
                )
        return facts

    def _tell(self, report: MediaCheckReport) -> None:
        for note in report.notes:
            self.log.warning("%s", note)
        for fault in report.faults:
            self.log.error("%s", fault)
        for file in report.damaged:
            said = file.as_json()
            self.log.error("damaged: %s in %s: %s", said["path"], ", ".join(file.snapshots), file.reason)


def _facts(report: MediaCheckReport) -> Facts:
    return {
        **report.facts(),
        "damaged": [file.as_json() for file in report.damaged[:SHOWN]],
        "faults": list(report.faults[:SHOWN]),
        "notes": list(report.notes),
    }


def _words(report: MediaCheckReport) -> str:
    """What is wrong, in one line: the snapshots that are hit, the first files, and what concerns no single file."""
    snapshots = sorted({snapshot for file in report.damaged for snapshot in file.snapshots})
    paths = [str(file.as_json()["path"]) for file in report.damaged[:5]]
    more = f" and {report.damaged_files - len(paths)} more" if report.damaged_files > len(paths) else ""
    files = [f"{report.damaged_files} files are damaged: {', '.join(paths)}{more}"] if paths else []
    hit = [f"snapshots hit: {', '.join(snapshots[:5])}{' …' if len(snapshots) > 5 else ''}"] if snapshots else []
    shards = [f"{len(report.damaged_shards)} shards are damaged"] if report.damaged_shards and not files else []
    return "; ".join([*files, *hit, *shards, *report.faults[:3]])
