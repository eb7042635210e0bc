"""Restores the database of a restore point; nothing passes that was not classified and counted."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from holdfast.environment import Environment
from holdfast.errors import DecryptError, IntegrityError, RestoreError, UsageError
from holdfast.manifest.model import Manifest, Table
from holdfast.postgres.archive_list import list_file
from holdfast.postgres.binaries import Client, reader_for
from holdfast.postgres.conninfo import Target, resolve
from holdfast.postgres.counts import compare_counts, compare_sequences
from holdfast.postgres.restoration import archive_file, restore_file, restore_pipe
from holdfast.postgres.selection import Selection, choose, selected
from holdfast.postgres.target import Inspection, create_database, inspect, require_fresh
from holdfast.postgres.verdict import Verdict
from holdfast.progress import Progress, Silent
from holdfast.restore.fetching import archive_of, dump_artifact
from holdfast.restore.growth import watched_growth
from holdfast.restore.report import RestoreReport
from holdfast.restore.spool import spool_folder
from holdfast.values.ids import RestorePointId

_SILENT = Silent()


@dataclass(frozen=True, slots=True)
class _Plan:
    """A restore whose target was looked at and found fresh; nothing has been written."""

    manifest: Manifest
    target: Target
    client: Client
    seen: Inspection


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What pg_restore said, which tables it was to bring, and how long fetching and restoring took."""

    verdict: Verdict
    tables: tuple[Table, ...]
    notes: tuple[str, ...]
    fetch_seconds: float
    restore_seconds: float


def restore_database(
    environment: Environment,
    id: RestorePointId,
    *,
    to: str,
    jobs: int | None = None,
    tables: Sequence[str] = (),
    progress: Progress = _SILENT,
) -> RestoreReport:
    """Restore a restore point, or only ``tables`` of it, into the database ``to`` (a URL or connection id).

    The database is made where it does not exist. Raises RestoreError where it has user objects or is
    the live one, where pg_restore reports anything unexplained, or where any count differs.
    """
    count = jobs if jobs is not None else min(4, os.cpu_count() or 1)
    if count < 1:
        raise UsageError(f"jobs {count}: at least one is needed")
    spool = None if count == 1 and not tables else spool_folder()
    manifest = environment.catalog.manifest(id, environment.verifier())
    _demand_whole(environment, id, manifest)
    environment.demand_identities()
    plan = _plan(environment, manifest, resolve(to, environment.connections))
    try:
        if spool is None:
            outcome = _restore_streamed(environment, plan, progress)
        else:
            outcome = _restore_spooled(environment, plan, spool, count, tables, progress)
    except KeyboardInterrupt as error:
        error.add_note(_left(plan))
        raise
    _require_passed(plan, outcome.verdict)
    counting = _count(plan, outcome.tables, bool(tables), progress)
    return RestoreReport(
        id=manifest.id,
        target=plan.target.describe(),
        tables=len(outcome.tables),
        rows=sum(table.rows for table in outcome.tables),
        jobs=count,
        is_new_database=not plan.seen.exists,
        notes=(*outcome.notes, *(finding.message for finding in outcome.verdict.warnings)),
        fetch_seconds=outcome.fetch_seconds,
        restore_seconds=outcome.restore_seconds,
        count_seconds=counting,
    )


def _demand_whole(environment: Environment, id: RestorePointId, manifest: Manifest) -> None:
    faults = environment.catalog.entry(id).missing(manifest)
    if faults:
        raise IntegrityError(
            f"restore point {environment.title}/{id}: {'; '.join(faults)}",
            hint="Choose another restore point; `holdfast verify` tells which are intact.",
        )


def _plan(environment: Environment, manifest: Manifest, target: Target) -> _Plan:
    """Look at the target, and refuse it before anything is fetched where it is not fit."""
    source = manifest.database.source
    _refuse_live(environment, target)
    seen = inspect(target)
    require_fresh(seen, source)
    client = reader_for(manifest.database.client_version, server_major=seen.server_major)
    return _Plan(manifest, seen.target, client, seen)


def _make_ready(plan: _Plan) -> tuple[str, ...]:
    """Look again right before the first write, for fetching takes time; make the database where there is none."""
    source = plan.manifest.database.source
    seen = inspect(plan.target)
    require_fresh(seen, source)
    if plan.seen.exists and seen.identity != plan.seen.identity:
        raise RestoreError(
            f"target {plan.target.describe()}: another database answers there than when the restore began",
            hint="Find out who switched servers or recreated the database, then start the restore again.",
        )
    return () if seen.exists else create_database(plan.target, source)


def _refuse_live(environment: Environment, target: Target) -> None:
    """The policy's own database is refused by its address too: its identity may have changed since the backup.

    After a disaster its connection may be defined nowhere any more, which must not stop a restore.
    """
    try:
        live = Target.from_connection(environment.database())
    except UsageError:
        return
    if (live.host, live.port, live.database) == (target.host, target.port, target.database):
        raise RestoreError(
            f"target {target.describe()}: it is the live database of {environment.title}",
            hint="Restore into a new database beside it, check it, and then switch the application over.",
        )


def _restore_streamed(environment: Environment, plan: _Plan, progress: Progress) -> _Outcome:
    """One job, straight from the store into pg_restore: no file, constant memory, but the hash is known last."""
    started = time.monotonic()
    progress.begin("restore", dump_artifact(plan.manifest).bytes)
    archive = archive_of(environment, plan.manifest, progress)
    # What cannot be opened at all is known with the first piece, before there is a database to be rid of.
    beginning = list(islice(archive, 1))
    notes = _make_ready(plan)
    try:
        verdict = restore_pipe(plan.client, plan.target, chain(beginning, archive))
    except (IntegrityError, DecryptError) as error:
        raise type(error)(error.message, hint=_left(plan)) from error
    progress.end()
    return _Outcome(verdict, plan.manifest.database.source.tables, notes, 0.0, time.monotonic() - started)


def _restore_spooled(
    environment: Environment, plan: _Plan, spool: Path, jobs: int, names: Sequence[str], progress: Progress
) -> _Outcome:
    """Several jobs need a seekable archive: it exists only as an unlinked file that dies with this process."""
    started = time.monotonic()
    progress.begin("fetch", dump_artifact(plan.manifest).bytes)
    with archive_file(archive_of(environment, plan.manifest, progress), spool) as file:
        progress.end()
        fetched = time.monotonic()
        selection = _choose(plan, file, names) if names else None
        every = plan.manifest.database.source.tables
        notes = (*(selection.notes if selection else ()), *_make_ready(plan))
        progress.begin("restore", None if selection else plan.manifest.database.source.database_bytes)
        with watched_growth(plan.target, progress):
            verdict = restore_file(plan.client, plan.target, file, jobs=jobs, selection=selection)
        progress.end()
    chosen = selected(selection, every) if selection else every
    return _Outcome(verdict, chosen, notes, fetched - started, time.monotonic() - fetched)


def _choose(plan: _Plan, file: int, names: Sequence[str]) -> Selection:
    return choose(list_file(plan.client, file), names, roles=plan.manifest.database.source.roles)


def _require_passed(plan: _Plan, verdict: Verdict) -> None:
    try:
        verdict.require()
    except RestoreError as error:
        message = f"restore of {plan.manifest.id} into {plan.target.describe()}: {error.message}"
        raise RestoreError(message, hint=f"{error.hint or ''} {_left(plan)}".strip()) from error


def _count(plan: _Plan, tables: Sequence[Table], is_selection: bool, progress: Progress) -> float:
    started = time.monotonic()
    progress.begin("count")
    differences = list(compare_counts(plan.target, tables, workers=2, whole=not is_selection))
    if not is_selection:
        differences += compare_sequences(plan.target, plan.manifest.database.source.sequences)
    if differences:
        shown = "; ".join(differences[:10]) + (f"; and {len(differences) - 10} more" if len(differences) > 10 else "")
        raise RestoreError(f"restore of {plan.manifest.id} into {plan.target.describe()}: {shown}", hint=_left(plan))
    progress.end(f"{len(tables)} tables equal the manifest")
    return time.monotonic() - started


def _left(plan: _Plan) -> str:
    return f"Do not use database {plan.target.database}: drop it and restore again once the cause is mended."
