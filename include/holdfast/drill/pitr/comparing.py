"""The step that starts the recovered cluster and asks it: the right marker, whole tables and indexes, rows."""

from __future__ import annotations

from datetime import datetime

import psycopg

from holdfast.drill.checks.naming import without_quotes
from holdfast.drill.checks.queries import check_queries
from holdfast.drill.checks.structure import check_structure
from holdfast.drill.naming import RECOVER
from holdfast.drill.outcome import Outcome, blames_backup
from holdfast.drill.pitr.asking import databases_of, markers_of
from holdfast.drill.records import read_step
from holdfast.drill.scene import Scene, Work
from holdfast.errors import DatabaseError, DrillError
from holdfast.manifest.evidence import Fact, Finding
from holdfast.manifest.pitr import PitrTried, Replayed
from holdfast.postgres.conninfo import Target
from holdfast.postgres.session import connect, translate, without_login_triggers
from holdfast.postgres.tables import count_rows, list_tables
from holdfast.progress import Progress

_WORKERS = 2
# The connection, resources, an administrator.
_SERVERS_FAULT = ("08", "53", "57")


def check_recovered(scene: Scene, progress: Progress) -> Work:
    """Compare the marker, then check all databases of the cluster within, and count the application's rows."""
    tried, replayed = scene.opened.instant, _replayed(scene)
    recovery = scene.recovery
    names = databases_of(recovery.target)
    done = _with_marker(replayed, tried, markers_of(recovery.target))
    outcomes = [_marker(tried, done), _application(tried, names)]
    counted = [tried.database] if tried.database in names else names
    for name in names:
        found = _structure(recovery.target.with_database(name), progress)
        outcomes.append(_of_database(found, name, is_counted=name in counted))
    outcomes.append(_count(recovery.target, [name for name in counted if name is not None], progress))
    surroundings = recovery.surroundings(scene.base.server_version)
    return Work(Outcome.merged(outcomes), surroundings=surroundings, replayed=done)


def query(scene: Scene, progress: Progress) -> Work:
    """Ask the policy's verification queries in the application's database."""
    if scene.opened.instant.database is None:
        raise DrillError(
            "verification queries: this host does not know the application's database",
            hint=f"Define the connection {scene.environment.policy.database.conn_id} where the drill is opened.",
        )
    return Work(check_queries(scene.recovery.target, scene.rules.queries, progress))


def _replayed(scene: Scene) -> Replayed:
    draft = read_step(scene.environment, scene.drill, RECOVER)
    if draft is None or draft.replayed is None:
        raise DrillError("nothing has been recovered yet", hint=f"The task {RECOVER} comes first.")
    return draft.replayed


def _with_marker(done: Replayed, tried: PitrTried, found: list[tuple[int, datetime | None]]) -> Replayed:
    """The marker as the cluster itself has it: of several the one that is expected, else the newest."""
    fitting = [each for each in found if tried.accepts(each[0]) and _is_of_its_time(tried, each[1])]
    number, at = max(fitting or found, key=lambda each: each[0], default=(None, None))
    return done.model_copy(update={"marker": number, "marker_at": at})


def _is_of_its_time(tried: PitrTried, at: datetime | None) -> bool:
    return at is None or ((tried.marker is None or at >= tried.marker.at) and at <= tried.instant)


def _marker(tried: PitrTried, done: Replayed) -> Outcome:
    """What the streamer wrote and time-stamped says which commits must be there, and which must not."""
    facts: dict[str, Fact] = {"marker": done.marker, "marker expected": tried.marker.number if tried.marker else None}
    if tried.marker is None:
        note = "no marker was compared: the WAL holds none as old as the instant"
        return Outcome(notes=(note,), facts=facts)
    if tried.accepts(done.marker) and _is_of_its_time(tried, done.marker_at):
        return Outcome(facts=facts)
    when = f"{tried.marker.at.isoformat()} (number {tried.marker.number})"
    if done.marker is None or done.marker < tried.marker.number:
        text = f"marker {done.marker or 'none'} found: the one of {when} is missing, and commits up to then with it"
    else:
        text = f"marker {done.marker} found: it was written after the instant, behind the one of {when}"
    return Outcome((blames_backup(text),), facts=facts)


def _application(tried: PitrTried, names: list[str]) -> Outcome:
    facts: dict[str, Fact] = {"databases": len(names)}
    if tried.database is None:
        note = "the application's database is not known here: all databases were counted"
        return Outcome(notes=(note,), facts=facts)
    if tried.database in names:
        return Outcome(facts=facts | {"database": tried.database})
    return Outcome((blames_backup(f"database {tried.database} is not in the recovered cluster"),), facts=facts)


def _structure(target: Target, progress: Progress) -> Outcome:
    """Where not even the catalog can be read, that is damage, too."""
    try:
        return check_structure(target, workers=_WORKERS, progress=progress, is_copy=True)
    except DatabaseError as error:
        return Outcome((blames_backup(error.message),))


def _of_database(found: Outcome, name: str, *, is_counted: bool) -> Outcome:
    """Findings and notes under the database's name; figures of the application's alone."""
    findings = tuple(Finding(about=each.about, text=f"database {name}: {each.text}") for each in found.findings)
    notes = tuple(f"database {name}: {note}" for note in found.notes)
    return Outcome(findings, notes, found.facts if is_counted else {})


def _count(target: Target, names: list[str], progress: Progress) -> Outcome:
    """Every row is read: how many there must be, nobody knows, but all must be readable."""
    tables, rows, findings = 0, 0, list[Finding]()
    progress.begin("count")
    for name in names:
        one = target.with_database(name)
        with connect(one) as session:
            quiet = without_login_triggers(one, session)
        with connect(quiet) as session:
            try:
                session.execute("SET row_security = off")
                session.execute("SET statement_timeout = 0")
                found = list_tables(session)
                tables += len(found)
                rows += sum(count_rows(session, found).values())
            except psycopg.Error as error:
                if error.sqlstate is None or error.sqlstate.startswith(_SERVERS_FAULT):
                    raise translate(error, quiet, "counting rows") from error
                said = without_quotes(str(error.diag.message_primary or error))
                findings.append(blames_backup(f"database {name}: rows cannot be read: {said}"))
    progress.end(f"{tables} tables, {rows} rows")
    return Outcome(tuple(findings), facts={"tables": tables, "rows": rows})
