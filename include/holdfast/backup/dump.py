"""The dump step: pg_dump through age into the store, with the exact facts of the very snapshot it reads."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta

from holdfast.backup.drafts import DumpDraft, read_draft, write_draft
from holdfast.backup.facts import StepFacts
from holdfast.catalog import Entry
from holdfast.crypto import age
from holdfast.environment import Environment
from holdfast.errors import IntegrityError, SignatureError
from holdfast.manifest.model import Artifact, DatabaseBackup, SourceFacts
from holdfast.postgres.binaries import Client, client_for
from holdfast.postgres.conninfo import Target
from holdfast.postgres.dump import ByteStream, dump_stream, globals_stream, plan_dump
from holdfast.postgres.pooler import require_direct
from holdfast.postgres.snapshot import ExportedSnapshot, exported_snapshot
from holdfast.progress import Progress, Silent
from holdfast.storage.tally import Tally
from holdfast.values.ids import RestorePointId

_SILENT = Silent()


def dump_database(environment: Environment, id: RestorePointId, *, progress: Progress = _SILENT) -> StepFacts:
    """Store the encrypted dump and globals of a restore point, and a signed draft of their facts.

    Run again after it finished, it changes nothing; after a kill, it clears the remnant and starts over.
    Raises DatabaseError, DatabaseUnavailable, ToolError or StoreError; then nothing looks complete.
    """
    started = time.monotonic()
    entry = environment.catalog.entry(id)
    if entry.is_committed:
        return StepFacts.of_manifest(environment.catalog.manifest(id, environment.verifier()), 0.0)
    draft = _finished(environment, entry)
    if draft is None:
        _clear(environment, entry)
        draft = _dump(environment, id, progress)
        write_draft(environment.store, environment.keys.draft(id, "dump"), draft, environment.signer())
    source = draft.database.source
    stored = sum(artifact.bytes for artifact in draft.artifacts)
    return StepFacts(str(id), stored, len(source.tables), source.rows, time.monotonic() - started)


def _finished(environment: Environment, entry: Entry) -> DumpDraft | None:
    """The draft of an earlier attempt that did finish, when all that it names still stands."""
    key = environment.keys.draft(entry.id, "dump")
    try:
        draft = read_draft(environment.store, key, DumpDraft, environment.signer().verifier())
    except (IntegrityError, SignatureError):
        return None
    if draft is None or draft.id != str(entry.id):
        return None
    sizes = {name: stored.size_bytes for name, stored in entry.objects.items()}
    is_whole = all(sizes.get(artifact.name) == artifact.bytes for artifact in draft.artifacts)
    return draft if is_whole else None


def _clear(environment: Environment, entry: Entry) -> None:
    """Remove what a killed attempt left; without a manifest nothing here is anybody's backup."""
    opened = environment.keys.draft(entry.id, "open")
    for stored in entry.objects.values():
        if stored.key != opened:
            environment.store.delete(stored.key)


def _dump(environment: Environment, id: RestorePointId, progress: Progress) -> DumpDraft:
    started = time.monotonic()
    target = Target.from_connection(environment.database())
    require_direct(target)
    with exported_snapshot(target) as snapshot:
        client = client_for(snapshot.server_major)
        plan = plan_dump(client)
        name = "database.dump.age" if plan.format == "custom" else "database.dump.zst.age"
        with snapshot.counting() as counting, ThreadPoolExecutor(1) as beside:
            progress.begin("dump")
            globals_ = beside.submit(_globals, environment, id, client, snapshot)
            hint = snapshot.facts.database_bytes
            database = _store(environment, id, name, dump_stream(plan, snapshot), progress, hint)
            facts = counting.result()
            progress.end(f"{len(facts.tables)} tables, {facts.rows} rows")
    duration = timedelta(seconds=time.monotonic() - started)
    return DumpDraft(
        id=str(id),
        artifacts=(_artifact(environment, name, plan.format, database), globals_.result()),
        database=_described(client, plan.compression, facts, duration),
    )


def _globals(environment: Environment, id: RestorePointId, client: Client, snapshot: ExportedSnapshot) -> Artifact:
    name = "globals.sql.age"
    tally = _store(environment, id, name, globals_stream(client, snapshot.target), _SILENT, None)
    return _artifact(environment, name, "sql", tally)


def _store(
    environment: Environment,
    id: RestorePointId,
    name: str,
    plaintext: ByteStream,
    progress: Progress,
    size_hint_bytes: int | None,
) -> Tally:
    tally = Tally(progress.advance)
    with closing(plaintext):
        sealed = tally.over(age.encrypt(plaintext, environment.recipients()))
        environment.store.put(environment.keys.artifact(id, name), sealed, size_hint_bytes=size_hint_bytes)
    return tally


def _artifact(environment: Environment, name: str, format: str, tally: Tally) -> Artifact:
    return Artifact(
        name=name,
        content="globals" if format == "sql" else "database",
        format=format,
        bytes=tally.bytes,
        sha256=tally.sha256,
        recipients=tuple(str(recipient) for recipient in environment.recipients()),
    )


def _described(client: Client, compression: str, facts: SourceFacts, duration: timedelta) -> DatabaseBackup:
    """The times come from the server's clock, as the snapshot does."""
    return DatabaseBackup(
        client_version=client.version(),
        compression=compression,
        started_at=facts.snapshot_at,
        finished_at=facts.snapshot_at + duration,
        source=facts,
    )
