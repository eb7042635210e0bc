"""Tries a restore: into a target that was found fresh, and everything that pg_restore said of it is kept."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from holdfast.environment import Environment
from holdfast.errors import DecryptError, IntegrityError, RestoreError, UsageError
from holdfast.manifest.model import Manifest, Table
from holdfast.postgres.archive_list import list_file
from holdfast.postgres.binaries import Client, reader_for
from holdfast.postgres.conninfo import Target, resolve
from holdfast.postgres.restoration import archive_file, restore_file, restore_pipe
from holdfast.postgres.selection import Selection, choose, selected
from holdfast.postgres.target import Inspection, create_database, inspect, require_fresh
from holdfast.postgres.verdict import Verdict
from holdfast.progress import Progress, Silent
from holdfast.restore.fetching import archive_of, dump_artifact
from holdfast.restore.growth import watched_growth
from holdfast.restore.spool import spool_folder
from holdfast.values.ids import RestorePointId

_SILENT = Silent()
_NO_OWNERS = "owners were not set: the role that restores is no superuser, and owns everything for now"


@dataclass(frozen=True, slots=True)
class Attempt:
    """A restore that pg_restore went through with: what it said, which tables it was to bring, and how long it took.

    Nothing is proven yet: ``require_passed`` tells whether it may be gone on with, only counting proves it.
    """

    manifest: Manifest
    target: Target
    is_new_database: bool
    jobs: int
    verdict: Verdict
    tables: tuple[Table, ...]
    notes: tuple[str, ...]
    fetch_seconds: float
    restore_seconds: float
    has_owners: bool = False

    @property
    def advice(self) -> str:
        """What to do with the database once it is known not to be what it should."""
        return _left(self.target)

    def require_passed(self) -> None:
        """Raises RestoreError where anything that pg_restore said is unexplained."""
        try:
            self.verdict.require()
        except RestoreError as error:
            message = f"restore of {self.manifest.id} into {self.target.describe()}: {error.message}"
            raise RestoreError(message, hint=f"{error.hint or ''} {self.advice}".strip()) from error


@dataclass(frozen=True, slots=True)
class _Plan:
    """A restore whose target was looked at and found fresh; nothing has been written."""

    manifest: Manifest
    target: Target
    client: Client
    seen: Inspection
    jobs: int
    with_owners: bool

    @property
    def gives_owners(self) -> bool:
        """Whether pg_restore sets owners."""
        return self.with_owners and self.seen.is_superuser

    def attempt(
        self,
        verdict: Verdict,
        tables: tuple[Table, ...],
        notes: tuple[str, ...],
        *,
        fetch_seconds: float,
        restore_seconds: float,
    ) -> Attempt:
        """What came of it."""
        return Attempt(
            manifest=self.manifest,
            target=self.target,
            is_new_database=not self.seen.exists,
            jobs=self.jobs,
            verdict=verdict,
            tables=tables,
            notes=notes,
            fetch_seconds=fetch_seconds,
            restore_seconds=restore_seconds,
            has_owners=self.gives_owners,
        )


def attempt_restore(
    environment: Environment,
    id: RestorePointId,
    *,
    to: str | Target,
    jobs: int | None = None,
    tables: Sequence[str] = (),
    spool: Path | None = None,
    with_owners: bool = False,
    before: Callable[[Target], None] | None = None,
    progress: Progress = _SILENT,
) -> Attempt:
    """Restore a restore point, or only ``tables`` of it, into the database ``to`` (a URL, connection id or address).

    The database is made where it does not exist; an empty one may stand beside the live one. Several jobs keep the
    decrypted archive in an unnamed file in ``spool`` (default: TMPDIR). ``with_owners``: everything gets the owner
    that it had, where the role is a superuser, which alone may give anything to anybody; a note says where it is not.
    ``before`` is called once nothing is left that refuses it, and nothing was read or written yet.
    Raises RestoreError where the target has user objects or is the live database,
    and IntegrityError, DecryptError or SignatureError where the restore point is not what it was.
    """
    count = jobs if jobs is not None else min(4, os.cpu_count() or 1)
    if count < 1:
        raise UsageError(f"jobs {count}: at least one is needed")
    is_streamed = count == 1 and not tables
    folder = None if is_streamed else spool or spool_folder()
    manifest = environment.catalog.manifest(id, environment.verifier())
    demand_whole(environment, id, manifest)
    environment.demand_identities()
    target = to if isinstance(to, Target) else resolve(to, environment.connections)
    plan = _plan(environment, manifest, target, count, with_owners=with_owners)
    if before is not None:
        before(plan.target)
    try:
        if folder is None:
            return _restore_streamed(environment, plan, progress)
        return _restore_spooled(environment, plan, folder, tables, progress)
    except KeyboardInterrupt as error:
        error.add_note(_left(plan.target))
        raise


def demand_whole(environment: Environment, id: RestorePointId, manifest: Manifest) -> None:
    """Raises IntegrityError where an artifact of a restore point lacks, or has another size."""
    faults = environment.catalog.entry(id).missing(manifest)
    if faults:
        raise IntegrityError(
            f"restore point {environment.title}/{id}: {'; '.join(faults)}",
            hint="Choose another restore point; `holdfast verify` tells which are intact.",
        )


def _plan(environment: Environment, manifest: Manifest, target: Target, jobs: int, *, with_owners: bool) -> _Plan:
    """Look at the target, and refuse it before anything is fetched where it is not fit."""
    source = manifest.database.source
    _refuse_live(environment, target)
    seen = inspect(target)
    require_fresh(seen, source)
    client = reader_for(manifest.database.client_version, server_major=seen.server_major)
    return _Plan(manifest, seen.target, client, seen, jobs, with_owners)


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
    notes = () if seen.exists else create_database(plan.target, source)
    return (*notes, _NO_OWNERS) if plan.with_owners and not plan.gives_owners else notes


def _refuse_live(environment: Environment, target: Target) -> None:
    """The policy's own database is refused by its address too: its identity may have changed since the backup.

    After a disaster its connection may be defined nowhere any more, which must not stop a restore.
    """
    policy = environment.policy
    for conn_id in {policy.database.conn_id, policy.restore.conn_id or policy.database.conn_id}:
        try:
            live = Target.from_connection(environment.connections.get(conn_id))
        except UsageError:
            continue
        if (live.host, live.port, live.database) == (target.host, target.port, target.database):
            raise RestoreError(
                f"target {target.describe()}: it is the live database of {environment.title}",
                hint="Restore into a new database beside it, check it, and then switch the application over.",
            )


def _restore_streamed(environment: Environment, plan: _Plan, progress: Progress) -> Attempt:
    """One job, straight from the store into pg_restore: no file, constant memory, but the hash is known last."""
    started = time.monotonic()
    progress.begin("restore", dump_artifact(plan.manifest).bytes)
    archive = archive_of(environment, plan.manifest, progress)
    # What cannot be opened at all is known with the first piece, before there is a database to be rid of.
    beginning = list(islice(archive, 1))
    notes = _make_ready(plan)
    try:
        verdict = restore_pipe(plan.client, plan.target, chain(beginning, archive), with_owners=plan.gives_owners)
    except (IntegrityError, DecryptError) as error:
        raise type(error)(error.message, hint=_left(plan.target)) from error
    progress.end()
    seconds = time.monotonic() - started
    return plan.attempt(
        verdict, plan.manifest.database.source.tables, notes, fetch_seconds=0.0, restore_seconds=seconds
    )


def _restore_spooled(
    environment: Environment, plan: _Plan, spool: Path, names: Sequence[str], progress: Progress
) -> Attempt:
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
            verdict = restore_file(
                plan.client,
                plan.target,
                file,
                jobs=plan.jobs,
                selection=selection,
                with_owners=plan.gives_owners,
            )
        progress.end()
    chosen = selected(selection, every) if selection else every
    ended = time.monotonic()
    return plan.attempt(verdict, chosen, notes, fetch_seconds=fetched - started, restore_seconds=ended - fetched)


def _choose(plan: _Plan, file: int, names: Sequence[str]) -> Selection:
    return choose(list_file(plan.client, file), names, roles=plan.manifest.database.source.roles)


def _left(target: Target) -> str:
    return f"Do not use database {target.database}: drop it and restore again once the cause is mended."
