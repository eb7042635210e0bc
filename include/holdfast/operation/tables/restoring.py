"""Brings the chosen tables of a restore point into a throwaway database, counted."""

from __future__ import annotations

from collections.abc import Sequence

from holdfast.environment import Environment
from holdfast.errors import RestoreError
from holdfast.postgres.counts import compare_counts
from holdfast.postgres.relations import Relation
from holdfast.progress import Progress
from holdfast.recovery import Recovery
from holdfast.restore.attempt import attempt_restore
from holdfast.values.ids import RestorePointId

_WORKERS = 2


def restore_chosen(
    environment: Environment,
    point: RestorePointId,
    recovery: Recovery,
    tables: Sequence[Relation],
    progress: Progress,
) -> float:
    """Restore the tables and count them for equality with the manifest; returns the seconds that it took.

    Raises UsageError for a table that the restore point does not have, RestoreError where anything is unexplained.
    """
    attempt = attempt_restore(
        environment,
        point,
        to=recovery.url,
        tables=[str(table.name) for table in tables],
        spool=recovery.folder,
        progress=progress,
    )
    attempt.require_passed()
    progress.begin("count")
    differences = compare_counts(attempt.target, attempt.tables, workers=_WORKERS, whole=False)
    if differences:
        raise RestoreError(f"restore of {point}: {'; '.join(differences[:10])}", hint="Choose another restore point.")
    progress.end(f"{len(attempt.tables)} tables equal the manifest")
    return attempt.fetch_seconds + attempt.restore_seconds
