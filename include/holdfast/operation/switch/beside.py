"""Restores beside what is live: into a new database of the same server, and a directory beside that of the media."""

from __future__ import annotations

from collections.abc import Sequence

from holdfast.drill.outcome import Outcome, blames_backup
from holdfast.environment import Environment
from holdfast.manifest.evidence import Fact, TableRows
from holdfast.manifest.model import Sequence as StoredSequence
from holdfast.manifest.model import Table
from holdfast.operation.live import live_target
from holdfast.operation.records import OperationOpen
from holdfast.operation.switch.marking import beside_name, marker_of
from holdfast.postgres.beside import drop_beside, make_beside, take_over
from holdfast.postgres.conninfo import Target
from holdfast.postgres.counts import compare_sequences, count_tables, differences
from holdfast.postgres.databases import demand_identity, identify
from holdfast.postgres.switching import exclusive
from holdfast.progress import Progress
from holdfast.restore.attempt import attempt_restore
from holdfast.restore.media_beside import restore_media_beside

_SHOWN = 20
_NOTED = 100


def restore_beside(
    environment: Environment, opened: OperationOpen, progress: Progress
) -> tuple[Outcome, tuple[TableRows, ...]]:
    """Restore the database beside the live one, with owners and grants, and count every table; each time anew.

    Raises RestoreError where another operation is at work on the live application, and what restoring raises.
    """
    live = live_target(environment)
    source = environment.catalog.manifest(opened.point, environment.verifier()).database.source
    name = beside_name(live.database, opened.id)
    with exclusive(live, environment.app, environment.name):
        beside = make_beside(live, name, source, marker=str(marker_of(opened, "beside", live.database)))
        attempt = attempt_restore(environment, opened.point, to=beside, with_owners=True, progress=progress)
        attempt.require_passed()
        taken_over: tuple[str, ...] = ()
        if identify(live) is not None:
            taken_over = take_over(live, beside, progress=progress, have_owners=attempt.has_owners)
        counted, faults = _counted(beside, attempt.tables, source.sequences, progress)
        identity = demand_identity(beside)
    facts: dict[str, Fact] = {
        "beside": name,
        "beside_oid": identity.oid,
        "tables": len(counted),
        "rows": sum(table.found or 0 for table in counted),
        "restore_seconds": round(attempt.fetch_seconds + attempt.restore_seconds, 1),
    }
    notes = (*attempt.notes, *(finding.message for finding in attempt.verdict.warnings), *taken_over)
    more = (f"and {len(notes) - _NOTED} more",) if len(notes) > _NOTED else ()
    return Outcome(tuple(blames_backup(fault) for fault in faults[:_SHOWN]), (*notes[:_NOTED], *more), facts), counted


def restore_media(environment: Environment, opened: OperationOpen, progress: Progress) -> Outcome:
    """Restore the media of the paired snapshot beside the live directory; a rerun goes on."""
    done = restore_media_beside(environment, opened.point, progress=progress)
    return Outcome(notes=done.notes, facts={"media_beside": str(done.path), "files": done.files, "bytes": done.bytes})


def remove_beside(environment: Environment, opened: OperationOpen) -> None:
    """Drop what the operation has restored beside and nobody has switched to; none of it is no error."""
    live = live_target(environment)
    drop_beside(live, beside_name(live.database, opened.id), operation=opened.id)


def _counted(
    beside: Target, tables: Sequence[Table], sequences: Sequence[StoredSequence], progress: Progress
) -> tuple[tuple[TableRows, ...], list[str]]:
    progress.begin("count")
    counted = count_tables(beside, tables, workers=2)
    faults = [*differences(counted), *compare_sequences(beside, sequences)]
    progress.end(f"{len(counted)} tables")
    return counted, faults
