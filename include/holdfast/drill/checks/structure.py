"""Whether the restored tables and indexes are sound within: amcheck, and what the catalog says of itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from functools import partial
from queue import Empty, SimpleQueue

import psycopg

from holdfast.drill.checks.amcheck import Amcheck, amcheck
from holdfast.drill.checks.relations import PAGE_BYTES, Look, batches, list_relations, looks
from holdfast.drill.checks.standing import check_standing
from holdfast.drill.outcome import Outcome, blames_backup
from holdfast.manifest.evidence import Finding
from holdfast.media.side_by_side import Stopped, side_by_side
from holdfast.postgres.conninfo import Target
from holdfast.postgres.session import Session, connect, translate, translated, without_login_triggers
from holdfast.progress import Progress, Silent
from holdfast.values import figures

_SILENT = Silent()
_MOST_FINDINGS = 50
# The connection, resources, an administrator; a file that is missing or cannot be read is damage.
_SERVERS_FAULT = ("08", "53", "57", "55P03")
_SETTINGS = """
SELECT pg_catalog.set_config('statement_timeout', '0', false), pg_catalog.set_config('lock_timeout', '60s', false),
       pg_catalog.set_config('idle_session_timeout', '0', false)
"""


def check_structure(
    target: Target, *, workers: int = 2, progress: Progress = _SILENT, is_copy: bool = False
) -> Outcome:
    """Check every table and B-tree index of the restored database, in ``workers`` sessions.

    In one that ``is_copy`` of the source's files, what the catalog says of itself is the source's own and only noted.
    Where the server lacks amcheck, or the role may not create it, that is a note. Raises DatabaseUnavailable where
    the server goes away.
    """
    with connect(target) as session:
        quiet = without_login_triggers(target, session)
    with connect(quiet) as session:
        standing = check_standing(session, quiet)
        if is_copy:
            noted = tuple(f"{finding.text}, as in the source" for finding in standing.findings)
            standing = Outcome(notes=(*noted, *standing.notes), facts=standing.facts)
        with amcheck(session, quiet) as extension:
            if isinstance(extension, str):
                missing = Outcome(notes=(f"pages were not checked: {extension}",), facts={"amcheck": False})
                return Outcome.merged([standing, missing])
            checked = _Checking(quiet, extension).run(_listed(session, quiet, extension), workers, progress)
    return Outcome.merged([standing, checked])


def _listed(session: Session, target: Target, extension: Amcheck) -> list[Look]:
    try:
        relations = list_relations(session)
    except psycopg.Error as error:
        raise translate(error, target, "listing tables and indexes") from error
    return looks(each for each in relations if each.kind == "index" or extension.checks_tables)


class _Checking:
    """One check of many relations, in several sessions that take the next one whenever they are done."""

    def __init__(self, target: Target, extension: Amcheck) -> None:
        self._target, self._extension = target, extension
        self._queue: SimpleQueue[tuple[Look, ...]] = SimpleQueue()
        self._stop = threading.Event()
        self._done_bytes = [0]
        self._findings: list[tuple[str, Finding]] = []

    def run(self, planned: Sequence[Look], workers: int, progress: Progress) -> Outcome:
        """Check them all, and say how many there were and how long it took."""
        started = time.monotonic()
        for batch in batches(planned):
            self._queue.put(batch)
        self._done_bytes = [0] * max(1, min(workers, len(planned)))
        told = 0

        def tell() -> None:
            nonlocal told
            done = sum(self._done_bytes)
            progress.advance(done - told)
            told = done

        progress.begin("structure", sum(look.relation.pages for look in planned) * PAGE_BYTES)
        jobs = [partial(self._work, number) for number in range(len(self._done_bytes))]
        side_by_side(jobs, len(jobs), self._stop, tell)
        tables = sum(look.relation.kind == "table" for look in planned)
        progress.end(f"{figures.count(tables)} tables, {figures.count(len(planned) - tables)} indexes")
        return Outcome(
            self._shown(),
            facts={
                "amcheck": True,
                "tables_checked": tables,
                "indexes_checked": len(planned) - tables,
                "indexes_compared_with_rows": sum(
                    look.is_thorough and look.relation.kind == "index" for look in planned
                ),
                "structure_seconds": round(time.monotonic() - started, 3),
            },
        )

    def _shown(self) -> tuple[Finding, ...]:
        found = [finding for _, finding in sorted(self._findings, key=lambda each: each[0])]
        if len(found) > _MOST_FINDINGS:
            more = len(found) - _MOST_FINDINGS
            found = [*found[:_MOST_FINDINGS], blames_backup(f"{more} more tables and indexes are damaged")]
        return tuple(found)

    def _work(self, number: int) -> None:
        with connect(self._target) as session:
            with translated(self._target, "preparing to check"):
                session.execute(_SETTINGS)
            while True:
                try:
                    batch = self._queue.get_nowait()
                except Empty:
                    return
                if self._stop.is_set():
                    raise Stopped
                # Which one of several is damaged is learned by asking for each.
                if len(batch) == 1 or self._fault(session, batch) is not None:
                    for look in batch:
                        self._look(session, look)
                self._done_bytes[number] += sum(look.relation.pages for look in batch) * PAGE_BYTES

    def _look(self, session: Session, look: Look) -> None:
        fault = self._fault(session, (look,))
        if fault is not None:
            name = f"{look.relation.kind} {look.relation.name}"
            self._findings.append((name, blames_backup(f"{name} is damaged: {fault}")))

    def _fault(self, session: Session, batch: Sequence[Look]) -> str | None:
        """What amcheck says of them; PostgreSQL's refusal to read a page is as much an answer."""
        of_indexes = batch[0].relation.kind == "index"
        query = (self._extension.index_query if of_indexes else self._extension.table_query)(
            [look.relation.oid for look in batch], is_thorough=batch[0].is_thorough
        )
        try:
            rows = session.execute(query).fetchall()
        except psycopg.Error as error:
            if error.sqlstate is None or error.sqlstate.startswith(_SERVERS_FAULT):
                raise translate(error, self._target, f"checking {batch[0].relation.name}") from error
            return str(error.diag.message_primary or error)
        if of_indexes or not rows:
            return None
        return str(rows[0][0]) + (f" (and {len(rows) - 1} more faults in its first damaged page)" if rows[1:] else "")
