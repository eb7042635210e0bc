"""Restores the database of a restore point; nothing passes that was not classified and counted."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from holdfast.environment import Environment
from holdfast.errors import RestoreError
from holdfast.postgres.conninfo import Target
from holdfast.postgres.counts import compare_counts, compare_sequences
from holdfast.progress import Progress, Silent
from holdfast.restore.attempt import Attempt, attempt_restore
from holdfast.restore.report import RestoreReport
from holdfast.values.ids import RestorePointId

_SILENT = Silent()


def restore_database(
    environment: Environment,
    id: RestorePointId,
    *,
    to: str,
    jobs: int | None = None,
    tables: Sequence[str] = (),
    before: Callable[[Target], None] | None = None,
    progress: Progress = _SILENT,
) -> RestoreReport:
    """Restore a restore point, or only ``tables`` of it, into the database ``to`` (a URL or connection id).

    The database is made where it does not exist. ``before`` is called once nothing is left that refuses it, and nothing
    was read or written yet. Raises RestoreError where the database has user objects or is the live one, where
    pg_restore reports anything unexplained, or where any count differs.
    """
    attempt = attempt_restore(environment, id, to=to, jobs=jobs, tables=tables, before=before, progress=progress)
    attempt.require_passed()
    counting = _count(attempt, bool(tables), progress)
    return RestoreReport(
        id=attempt.manifest.id,
        target=attempt.target.describe(),
        tables=len(attempt.tables),
        rows=sum(table.rows for table in attempt.tables),
        jobs=attempt.jobs,
        is_new_database=attempt.is_new_database,
        notes=(*attempt.notes, *(finding.message for finding in attempt.verdict.warnings)),
        fetch_seconds=attempt.fetch_seconds,
        restore_seconds=attempt.restore_seconds,
        count_seconds=counting,
    )


def _count(attempt: Attempt, is_selection: bool, progress: Progress) -> float:
    started = time.monotonic()
    progress.begin("count")
    differences = list(compare_counts(attempt.target, attempt.tables, workers=2, whole=not is_selection))
    if not is_selection:
        differences += compare_sequences(attempt.target, attempt.manifest.database.source.sequences)
    if differences:
        shown = "; ".join(differences[:10]) + (f"; and {len(differences) - 10} more" if len(differences) > 10 else "")
        raise RestoreError(
            f"restore of {attempt.manifest.id} into {attempt.target.describe()}: {shown}", hint=attempt.advice
        )
    progress.end(f"{len(attempt.tables)} tables equal the manifest")
    return time.monotonic() - started
