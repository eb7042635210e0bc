"""The steps that restore: the recovery environment, the database, and what of it is compared with the manifest."""

from __future__ import annotations

import time
from contextlib import suppress

from holdfast.drill.checks.findings import capped
from holdfast.drill.checks.naming import without_quotes
from holdfast.drill.checks.structure import check_structure
from holdfast.drill.outcome import Outcome, blames_backup, blames_drill
from holdfast.drill.scene import Scene, Work
from holdfast.errors import DrillError, HoldfastError, PermanentError
from holdfast.manifest.evidence import Fact, Finding
from holdfast.postgres.binaries import major_of
from holdfast.postgres.complaints import Kind
from holdfast.postgres.conninfo import Target
from holdfast.postgres.counts import compare_sequences, count_tables, differences
from holdfast.postgres.facts import system_identifier
from holdfast.postgres.session import connect, translated
from holdfast.postgres.verdict import Finding as Complaint
from holdfast.postgres.verdict import Verdict
from holdfast.progress import Progress
from holdfast.recovery import is_cut_off, prepare_recovery
from holdfast.restore.attempt import attempt_restore
from holdfast.restore.fetching import plaintext_of

_WORKERS = 2
_SHOWN = 50
# What the recovery server lacks, or what became of it, is no fault of the backup.
_OF_THE_DRILL = frozenset(
    {Kind.OUT_OF_SPACE, Kind.CONNECTION_LOST, Kind.MISSING_EXTENSION, Kind.MISSING_ROLE, Kind.PERMISSION, Kind.VERSION}
)
# After these, whatever else is said follows from them.
_OVERSHADOWING = frozenset({Kind.OUT_OF_SPACE, Kind.CONNECTION_LOST})


def make_environment(scene: Scene, progress: Progress) -> Work:
    """Make the recovery environment, or look at the server that the policy names, and see it at work."""
    now = scene.environment.clock()
    source = scene.manifest.database.source
    progress.begin("recovery environment")
    gone = prepare_recovery(
        scene.root,
        scene.name,
        source_major=major_of(source.server_version),
        database=source.database,
        server=_server(scene),
        now=now,
        is_owned=scene.is_whole,
    )
    recovery = scene.recovery
    surroundings = recovery.surroundings(source.server_version)
    progress.end(f"PostgreSQL {surroundings.server_version}")
    notes = [f"removed what a dead run had left: {name}" for name in gone]
    if not surroundings.is_same_major:
        notes.append(f"restored on PostgreSQL {surroundings.server_version}, the source has {source.server_version}")
    if surroundings.is_throwaway and not is_cut_off():
        notes.append("restored functions could use this host's network: its kernel gives no namespaces")
    facts: dict[str, Fact] = {
        "server": surroundings.server_version,
        "thrown away afterwards": surroundings.is_throwaway,
        "ready after seconds": round(surroundings.ready_seconds, 3),
    }
    return Work(Outcome(notes=tuple(notes), facts=facts), surroundings=surroundings)


def restore_database(scene: Scene, progress: Progress) -> Work:
    """Restore the dump; every complaint of pg_restore is classified."""
    recovery = scene.recovery
    recovery.reset_database()
    recovery.ensure_roles(scene.manifest.database.source.roles)
    attempt = attempt_restore(
        scene.environment, scene.opened.point, to=recovery.url, spool=recovery.folder, progress=progress
    )
    beside = _read_others(scene, progress)
    warnings = tuple(str(finding) for finding in attempt.verdict.warnings)
    facts: dict[str, Fact] = {
        "tables": len(attempt.tables),
        "jobs": attempt.jobs,
        "fetch seconds": round(attempt.fetch_seconds, 3),
        "restore seconds": round(attempt.restore_seconds, 3),
    }
    findings = (*_complaints(attempt.verdict), *beside)
    return Work(Outcome(findings, (*attempt.notes, *warnings[:_SHOWN]), facts))


def _read_others(scene: Scene, progress: Progress) -> tuple[Finding, ...]:
    """Roles, inventory and whatever else the manifest names: nothing restores them, so they are read to their ends."""
    findings = []
    for artifact in scene.manifest.artifacts:
        if artifact.content == "database":
            continue
        progress.begin(f"read {artifact.name}", artifact.bytes)
        try:
            for _ in plaintext_of(scene.environment, scene.manifest, artifact, progress):
                pass
        except PermanentError as error:
            findings.append(blames_backup(error.message))
        progress.end()
    return tuple(findings)


def check_database(scene: Scene, progress: Progress) -> Work:
    """Count every table for equality with the manifest, then sequences, indexes and constraints."""
    target, source = scene.recovery.target, scene.manifest.database.source
    started = time.monotonic()
    progress.begin("count")
    tables = count_tables(target, source.tables, workers=_WORKERS)
    lines = (*differences(tables), *compare_sequences(target, source.sequences))
    counted = time.monotonic() - started
    progress.end(f"{len(tables)} tables, {len(lines)} differences")
    rows = sum(table.found or 0 for table in tables)
    comparison = Outcome(
        capped([blames_backup(line) for line in lines], "differences"),
        facts={
            "tables": len(tables),
            "rows": rows,
            "rows expected": source.rows,
            "sequences": len(source.sequences),
            "count seconds": round(counted, 3),
        },
    )
    structure = check_structure(target, workers=_WORKERS, progress=progress)
    return Work(Outcome.merged((comparison, structure)), tables=tables)


def _server(scene: Scene) -> Target | None:
    """The policy's own recovery server; raises DrillError for the one that the live database lies on."""
    named = scene.rules.server
    if named is None:
        return None
    server = Target.from_connection(scene.environment.connections.get(named.conn_id))
    with connect(server) as session, translated(server, "reading the system identifier"):
        identifier = system_identifier(session)
    if identifier in _live_identifiers(scene):
        raise DrillError(
            f"drill.server: the server behind connection {named.conn_id} is that of the live database",
            hint="Name another server, or leave drill.server out: a drill then makes a server of its own.",
        )
    return server


def _live_identifiers(scene: Scene) -> set[str]:
    """Of the server that was dumped, and of the one that the policy names today, where it can be asked."""
    found = {scene.manifest.database.source.system_identifier}
    with suppress(HoldfastError):
        live = Target.from_connection(scene.environment.database())
        with connect(live) as session, translated(live, "reading the system identifier"):
            found.add(system_identifier(session))
    return found


def _complaints(verdict: Verdict) -> tuple[Finding, ...]:
    kinds = {failure.kind for failure in verdict.failures}
    of_the_drill = set(_OF_THE_DRILL)
    if kinds & _OVERSHADOWING:
        of_the_drill = set(Kind)
    elif kinds & _OF_THE_DRILL:
        of_the_drill.add(Kind.MISSING_OBJECT)  # it follows from the role or extension that is missing
    return capped(
        [(blames_drill if each.kind in of_the_drill else blames_backup)(_told(each)) for each in verdict.failures],
        "complaints of pg_restore",
    )


def _told(failure: Complaint) -> str:
    """A complaint for evidence that is kept for years: what may quote a row, or be anything, is not repeated."""
    where = f"{failure.entry}: " if failure.entry else ""
    if failure.kind is Kind.UNCLASSIFIED and failure.dump_id is not None:
        return f"{where}a complaint that is not understood; `holdfast restore` into a scratch database shows its text"
    if failure.kind is Kind.DATA:
        return f"{where}{without_quotes(failure.message)} ({failure.kind.value}: {failure.reason})"
    return str(failure)
