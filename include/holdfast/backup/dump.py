"""The dump step: pg_dump through age into the store, with the exact facts of the very snapshot it reads."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from textwrap import shorten

from holdfast.backup.artifacts import store_artifact
from holdfast.backup.drafts import DumpDraft
from holdfast.backup.export import Export, clear_export
from holdfast.backup.facts import StepFacts
from holdfast.backup.inventory import inventory_objects
from holdfast.backup.media import discard_snapshot
from holdfast.backup.references import demand_references, store_references
from holdfast.catalog import Entry
from holdfast.catalog.drafts import read_draft, write_draft
from holdfast.environment import Environment
from holdfast.errors import IntegrityError, SignatureError
from holdfast.manifest.model import Artifact, DatabaseBackup, SourceFacts
from holdfast.postgres.binaries import Client, client_for
from holdfast.postgres.conninfo import Target
from holdfast.postgres.dump import PLAIN, DumpPlan, Hearer, dump_stream, globals_stream, plan_dump
from holdfast.postgres.pooler import require_direct
from holdfast.postgres.snapshot import ExportedSnapshot, exported_snapshot
from holdfast.progress import Progress, Silent
from holdfast.values.ids import RestorePointId

_SILENT = Silent()
_SHOWN = 1000


def dump_database(environment: Environment, id: RestorePointId, *, progress: Progress = _SILENT) -> StepFacts:
    """Store the encrypted dump and globals of a restore point, and a signed draft of their facts.

    Out of the same snapshot come the references to media files and the compliance export, where the policy asks
    for them.

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
    others = {environment.keys.draft(entry.id, "open"), *inventory_objects(environment, entry.id)}
    for stored in entry.objects.values():
        if stored.key not in others:
            environment.store.delete(stored.key)
    # A media snapshot of an earlier dump may lack files that the next one refers to.
    discard_snapshot(environment, entry.id)
    clear_export(environment, entry.id)


def _dump(environment: Environment, id: RestorePointId, progress: Progress) -> DumpDraft:
    started = time.monotonic()
    target = Target.from_connection(environment.database())
    require_direct(target)
    with exported_snapshot(target) as snapshot:
        client = client_for(snapshot.server_major)
        plan = plan_dump(client)
        export = Export.plan(environment, id, snapshot)
        demand_references(environment, snapshot)
        with snapshot.counting() as counting, ThreadPoolExecutor(1) as beside:
            globals_ = beside.submit(_globals, environment, id, client, snapshot)
            references = store_references(environment, id, snapshot, progress)
            progress.begin("dump")
            heard: list[str] = []
            database = _database(environment, id, plan, snapshot, progress, heard.append)
            facts = counting.result()
            progress.end(f"{len(facts.tables)} tables, {facts.rows} rows{_warnings(heard)}")
            duration = timedelta(seconds=time.monotonic() - started)
            export.store(facts, progress)
    return DumpDraft(
        id=str(id),
        artifacts=(database, globals_.result(), *references),
        database=_described(client, plan.compression, facts, duration),
    )


def _database(
    environment: Environment,
    id: RestorePointId,
    plan: DumpPlan,
    snapshot: ExportedSnapshot,
    progress: Progress,
    hear: Hearer,
) -> Artifact:
    return store_artifact(
        environment,
        id,
        "database.dump.age" if plan.format == PLAIN else "database.dump.zst.age",
        dump_stream(plan, snapshot, hear=hear),
        content="database",
        format=plan.format,
        recipients=environment.recipients(),
        progress=progress,
        size_hint_bytes=snapshot.facts.database_bytes,
    )


def _warnings(heard: Sequence[str]) -> str:
    """What pg_dump had to say although it succeeded, each line once, ready to be appended."""
    lines = dict.fromkeys(line.strip() for text in heard for line in text.splitlines() if line.strip())
    return f"; pg_dump warned: {shorten(' / '.join(lines), _SHOWN, placeholder=' …')}" if lines else ""


def _globals(environment: Environment, id: RestorePointId, client: Client, snapshot: ExportedSnapshot) -> Artifact:
    return store_artifact(
        environment,
        id,
        "globals.sql.age",
        globals_stream(client, snapshot.target),
        content="globals",
        format="sql",
        recipients=environment.recipients(),
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
