"""Restore over the live database where nothing may be renamed: all that the archive holds, in one transaction."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from holdfast.environment import Environment
from holdfast.errors import IntegrityError, RestoreError
from holdfast.manifest.model import Manifest
from holdfast.postgres.beside import apply_rights, read_live_rights
from holdfast.postgres.binaries import reader_for
from holdfast.postgres.conninfo import Target
from holdfast.postgres.counts import compare_counts, compare_sequences
from holdfast.postgres.databases import DatabaseIdentity, demand_identity
from holdfast.postgres.ending import end_sessions
from holdfast.postgres.restoration import archive_file, restore_file
from holdfast.postgres.rights import Rights
from holdfast.progress import Progress, Silent
from holdfast.restore.fetching import archive_of, dump_artifact
from holdfast.restore.spool import spool_folder
from holdfast.values.ids import RestorePointId

_SILENT = Silent()
_WAIT_S = 30.0


def _forgetful(rights: bytes) -> bytes:
    return rights


@dataclass(frozen=True, slots=True)
class CleanRestore:
    """A restore over the live database that is committed.

    ``differences`` are counts that are not the manifest's: whoever writes since the commit makes some. ``notes``:
    owners and grants that could not be given back. In ``unavailable_seconds`` the application waited for locks.
    """

    tables: int
    rows: int
    differences: tuple[str, ...]
    notes: tuple[str, ...]
    unavailable_seconds: float


def restore_clean(
    environment: Environment,
    id: RestorePointId,
    *,
    live: Target,
    identity: DatabaseIdentity,
    demand: Callable[[], None],
    keep: Callable[[bytes], bytes] = _forgetful,
    wait_s: float = _WAIT_S,
    spool: Path | None = None,
    progress: Progress = _SILENT,
) -> CleanRestore:
    """Drop what the restore point holds from the live database and restore it there, in one transaction.

    What the archive does not hold stays. Owners and grants are given back afterwards as they were. The whole archive
    is fetched and proven first; then ``identity`` is looked at again and ``demand`` called, which raises where the
    plan is no longer what was approved. The sessions in it are ended once; a lock is waited for ``wait_s`` seconds,
    for the application waits behind it, and then all is given up. ``keep`` gets owners and grants as they are and
    returns those to give back: it should store what it gets first and return that to every rerun, for whoever is
    killed after the commit and before they are given back leaves a database without them. Raises RestoreError, the
    database being as it was, where anything is refused.
    """
    manifest = environment.catalog.manifest(id, environment.verifier())
    faults = environment.catalog.entry(id).missing(manifest)
    if faults:
        raise IntegrityError(f"restore point {environment.title}/{id}: {'; '.join(faults)}")
    client = reader_for(manifest.database.client_version, server_major=identity.server_version_num // 10000)
    progress.begin("fetch", dump_artifact(manifest).bytes)
    with archive_file(archive_of(environment, manifest, progress), spool or spool_folder()) as file:
        progress.end()
        demand()
        _demand_same(live, identity)
        wanted = Rights.decode(keep(read_live_rights(live).encode()))
        progress.begin("restore")
        started = time.monotonic()
        end_sessions(live, identity)
        verdict = restore_file(client, _impatient(live, wait_s), file, over_existing=True)
        seconds = time.monotonic() - started
        _demand_passed(manifest, live, verdict.require)
        progress.end()
    notes = apply_rights(live, live, wanted, adopts=True)
    return _counted(manifest, live, notes, seconds, progress)


def _impatient(live: Target, wait_s: float) -> Target:
    """One that waits for a lock keeps everybody behind it waiting too: it must give up, with nothing changed."""
    options = f"{live.get('options') or ''} -c lock_timeout={int(wait_s * 1000)}".lstrip()
    return live.with_parameters(options=options)


def _demand_same(live: Target, identity: DatabaseIdentity) -> None:
    there = demand_identity(live)
    if not there.is_same(identity):
        raise RestoreError(
            f"{live.describe()}: {there} answers there, not {identity}",
            hint="Find out who switched servers or recreated the database, and then plan again.",
        )


def _demand_passed(manifest: Manifest, live: Target, require: Callable[[], None]) -> None:
    try:
        require()
    except RestoreError as error:
        raise RestoreError(
            f"restore of {manifest.id} over {live.describe()}: {error.message}",
            hint="Nothing was changed: it was one transaction. What stands in its way must be dropped first.",
        ) from error


def _counted(
    manifest: Manifest, live: Target, notes: tuple[str, ...], seconds: float, progress: Progress
) -> CleanRestore:
    progress.begin("count")
    source = manifest.database.source
    differences = (
        *compare_counts(live, source.tables, workers=2, whole=False),
        *compare_sequences(live, source.sequences),
    )
    progress.end(f"{len(differences)} differences")
    return CleanRestore(
        tables=len(source.tables),
        rows=source.rows,
        differences=differences,
        notes=notes,
        unavailable_seconds=seconds,
    )
