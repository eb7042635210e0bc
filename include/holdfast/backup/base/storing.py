"""The step that stores a base backup, and leaves a signed draft of its facts for the commit."""

from __future__ import annotations

from datetime import datetime

import holdfast
from holdfast.backup.base.drafts import BaseDraft, draft_key, finished_draft
from holdfast.backup.base.identity import demand_own_cluster
from holdfast.backup.base.parent import committed, find_parent
from holdfast.backup.base.source import read_base_source
from holdfast.backup.base.stream import BaseBackupProgram, NoIncremental
from holdfast.backup.base.taking import Taken, Taking
from holdfast.backup.opening import demand_pair
from holdfast.catalog.catalog import Entry
from holdfast.catalog.drafts import write_draft
from holdfast.environment import Environment
from holdfast.manifest.base_backup import BaseBackupManifest
from holdfast.postgres.conninfo import Target
from holdfast.postgres.session import connect, pinned, translated
from holdfast.progress import Progress, Silent
from holdfast.values.ids import RestorePointId

TIER = "base_backup"
_SILENT = Silent()


def store_base_backup(
    environment: Environment, *, opened_at: datetime, origin: str, full: bool = False, progress: Progress = _SILENT
) -> RestorePointId:
    """Store the encrypted files of the live cluster, incremental where that is possible and not ``full``.

    ``origin`` names what started it: run again with the same one after it finished, it changes nothing; after a
    kill, it clears the remnant and starts over. Nothing exists before ``commit_base_backup``.

    Raises UsageError, DatabaseError or PermanentError before it starts where server, role, cluster or keys do not do;
    DatabaseUnavailable, ToolError or StoreError later.
    """
    id = RestorePointId.make(opened_at, TIER, origin)
    environment.recipients()
    demand_pair(environment, environment.signer())
    entry = environment.base_catalog.entry(id)
    if not entry.is_committed and finished_draft(environment, entry) is None:
        clear(environment, entry)
        draft = _stored(environment, id, full, progress)
        write_draft(environment.store, draft_key(environment, id), draft, environment.signer())
    return id


def clear(environment: Environment, entry: Entry) -> None:
    """Remove what an attempt left that did not finish; without a manifest nothing here is anybody's backup."""
    for stored in entry.objects.values():
        environment.store.delete(stored.key)


def _stored(environment: Environment, id: RestorePointId, full: bool, progress: Progress) -> BaseDraft:
    target = Target.from_connection(environment.database())
    with connect(target) as session:
        there = pinned(target, session)
        source = read_base_source(session, there)
    known = committed(environment)
    demand_own_cluster(environment, source.cluster, known)
    taking = Taking(environment, id, there, source, BaseBackupProgram.for_server(source.major), progress)
    with find_parent(environment, known, source, full=full) as (parent, notes):
        try:
            taken = taking.take(parent)
        except NoIncremental as error:
            notes = (*notes, f"a full one was taken, for the server cannot give one: {error.message}")
            taken = taking.take(None)
    for note in notes:
        progress.begin("incremental")
        progress.end(note)
    return BaseDraft(id=str(id), manifest=_described(taking, taken, _now(there)), notes=notes)


def _described(taking: Taking, taken: Taken, finished_at: datetime) -> BaseBackupManifest:
    """What the manifest will say."""
    environment, source, parent = taking.environment, taking.source, taken.parent
    return BaseBackupManifest(
        id=str(taking.id),
        app=environment.app,
        environment=environment.name,
        kind="full" if parent is None else "incremental",
        parent=None if parent is None else parent.manifest.id,
        chain=() if parent is None else parent.chain,
        holdfast_version=holdfast.__version__,
        client_version=taking.program.client.version(),
        server_version=source.version,
        server_version_num=source.cluster.server_version_num,
        system_identifier=source.cluster.system_identifier,
        timeline=taken.wal.timeline,
        start_lsn=str(taken.wal.start),
        stop_lsn=str(taken.wal.stop),
        segment_bytes=source.cluster.segment_bytes,
        has_checksums=source.has_checksums,
        superuser=source.superuser,
        settings=source.settings,
        started_at=source.at,
        finished_at=finished_at,
        files=taken.files,
        data_bytes=taken.data_bytes,
        artifacts=taken.artifacts,
    )


def _now(target: Target) -> datetime:
    """By a session of its own: one that idled for hours beside the base backup might be gone."""
    with connect(target) as session, translated(target, "asking for the time"):
        row = session.execute("SELECT pg_catalog.clock_timestamp()").fetchone()
    assert row is not None
    at: datetime = row[0]
    return at
