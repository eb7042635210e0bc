"""Reads the schema of a restore point and of the live database, both by way of the same throwaway server.

A definition that was dumped and restored may be spelled otherwise than the one that was typed, and other versions of
PostgreSQL spell it otherwise again. So both are restored, without any row, on one server, and read there alike.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable

from holdfast.environment import Environment
from holdfast.errors import RestoreError
from holdfast.manifest.model import SourceFacts
from holdfast.operation.live import live_target
from holdfast.operation.schema.comparison import SchemaDifference, compare_schemas
from holdfast.operation.schema.entries import read_objects
from holdfast.operation.schema.model import Schema
from holdfast.operation.schema.parts import read_parts
from holdfast.operation.scratch import scratch
from holdfast.postgres.binaries import Client, client_for, major_of, reader_for
from holdfast.postgres.conninfo import Target
from holdfast.postgres.facts import read_facts
from holdfast.postgres.schema_text import restore_schema, schema_archive, schema_text
from holdfast.postgres.session import connect, translated
from holdfast.postgres.target import create_database
from holdfast.progress import Progress, Silent
from holdfast.recovery import Recovery
from holdfast.restore.fetching import archive_of, dump_artifact
from holdfast.values.ids import RestorePointId

_SILENT = Silent()


def compare_with_live(
    environment: Environment, point: RestorePointId, progress: Progress = _SILENT
) -> SchemaDifference:
    """How the live database's definitions differ from those in the restore point; writes to neither.

    Raises RestoreError where either cannot be read faithfully, so that nothing can be said, DrillError where no
    server can be had here, and what reading the restore point or connecting to the live database raises.
    """
    # Two people may plan at once.
    with scratch(environment, point, f"schema-{point}-{secrets.token_hex(3)}") as recovery:
        earlier = schema_of_point(environment, point, recovery, progress)
        later = schema_of_live(environment, recovery, progress)
    return compare_schemas(earlier, later)


def schema_of_point(
    environment: Environment, point: RestorePointId, recovery: Recovery, progress: Progress = _SILENT
) -> Schema:
    """The definitions that the restore point holds; its bytes are proven on the way, its rows left where they are."""
    manifest = environment.catalog.manifest(point, environment.verifier())
    client = reader_for(manifest.database.client_version, server_major=major_of(recovery.server_version))

    def pieces() -> Iterable[bytes]:
        progress.begin("read definitions", dump_artifact(manifest).bytes)
        yield from archive_of(environment, manifest, progress)
        progress.end()

    return _copied(recovery, f"restore point {point}", manifest.database.source, client, pieces)


def schema_of_live(environment: Environment, recovery: Recovery, progress: Progress = _SILENT) -> Schema:
    """The definitions of the live database as they are now."""
    live = live_target(environment)
    with connect(live) as session, translated(live, "reading the catalog"):
        facts = read_facts(session)
    writer = client_for(major_of(facts.server_version))
    reader = reader_for(writer.version(), server_major=major_of(recovery.server_version))
    recovery.ensure_roles(facts.roles)

    def pieces() -> Iterable[bytes]:
        progress.begin("read live definitions")
        yield from schema_archive(writer, live)
        progress.end()

    return _copied(recovery, "live database", facts, reader, pieces)


def _copied(
    recovery: Recovery, what: str, facts: SourceFacts, client: Client, pieces: Callable[[], Iterable[bytes]]
) -> Schema:
    target = recovery.target.with_database(f"schema_{secrets.token_hex(6)}")
    create_database(target, facts)
    try:
        restore_schema(client, target, pieces()).require()
    except RestoreError as error:
        raise RestoreError(
            f"{what}: its definitions cannot be compared here: {error.message}",
            hint=error.hint or "Compare them by hand, or treat the schema as changed.",
        ) from error
    return _read(target, facts, major_of(recovery.server_version))


def _read(target: Target, facts: SourceFacts, server_major: int) -> Schema:
    with connect(target) as session, translated(target, "reading definitions"):
        parts = read_parts(session)
    objects = read_objects(schema_text(client_for(server_major), target))
    return Schema(objects, parts, {each.name: each.version for each in facts.extensions})
