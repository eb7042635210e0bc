"""Restores only what looking rows up needs: definitions of a few tables, and of their rows those that may be wanted."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from psycopg import sql

from holdfast.environment import Environment
from holdfast.errors import IntegrityError, UsageError
from holdfast.manifest.model import Manifest
from holdfast.postgres.archive_list import Entry, Listing, list_file
from holdfast.postgres.binaries import Client, reader_for
from holdfast.postgres.conninfo import Target
from holdfast.postgres.copied import Copied, copied_tables
from holdfast.postgres.relations import Column, QualifiedName, Relation, read_relations
from holdfast.postgres.restoration import archive_file, restore_file
from holdfast.postgres.selection import choose_bare, rows_of, selected
from holdfast.postgres.session import Session, connect, translated
from holdfast.postgres.target import create_database, inspect
from holdfast.process.child import Command, base_environment, stream
from holdfast.progress import Progress
from holdfast.recovery import Recovery
from holdfast.restore.attempt import demand_whole
from holdfast.restore.fetching import archive_of, dump_artifact
from holdfast.values.ids import RestorePointId

# COPY … WHERE cannot look values up in a table: each row is compared with each wanted value.
_FEW = 100
_CAN_FILTER = 120_000


@dataclass(slots=True)
class BareRestore:
    """An archive at hand and a throwaway database to look things up in; ``bare_restore`` makes one."""

    target: Target
    _manifest: Manifest
    _client: Client
    _archive: int
    _listing: Listing
    _progress: Progress
    relations: dict[QualifiedName, Relation] = field(default_factory=dict)
    _filters: Iterator[int] = field(default_factory=itertools.count)

    def has(self, name: QualifiedName) -> bool:
        """Does the restore point hold that table?"""
        try:
            choose_bare(self._listing, [quoted(name)], roles=self._roles)
        except UsageError:
            return False
        return True

    def define(self, names: Iterable[QualifiedName]) -> None:
        """Make the tables, empty and without keys, indexes and triggers."""
        selection = choose_bare(self._listing, [quoted(name) for name in names], roles=self._roles)
        verdict = restore_file(self._client, self.target, self._archive, selection=selection)
        verdict.require()
        with connect(self.target) as session, translated(self.target, "reading the restored tables"):
            self.relations = read_relations(session)

    def load(self, session: Session, name: QualifiedName, wanted: Mapping[str, Sequence[str]] | None = None) -> int:
        """Bring the table's rows, or only those with one of the few ``wanted`` values in each of the columns.

        More rows than asked for may come. Returns how many were brought. Raises IntegrityError where the archive holds
        another number of rows than the manifest promises.
        """
        selection = choose_bare(self._listing, [quoted(name)], roles=self._roles)
        expected = sum(table.rows for table in selected(selection, self._manifest.database.source.tables))
        where = self._condition(session, self.relations[name], wanted or {})
        read = brought = 0
        self._progress.begin(f"load {name}")
        with translated(self.target, f"loading {name}"):
            for table in self._tables_in(rows_of(self._listing, selection)):
                came, kept = _copy(session, table, where, self._progress)
                read, brought = read + came, brought + kept
        self._progress.end(f"{brought} of {read} rows")
        if read != expected:
            raise IntegrityError(
                f"restore point {self._manifest.id}: the archive holds {read} rows of {name}, "
                f"the manifest says {expected}"
            )
        return brought

    @property
    def _roles(self) -> tuple[str, ...]:
        return self._manifest.database.source.roles

    def _tables_in(self, entries: Sequence[Entry]) -> Iterator[Copied]:
        with os.fdopen(os.memfd_create("entries"), "wb") as toc:
            toc.write("".join(f"{entry.dump_id}; \n" for entry in entries).encode())
            toc.flush()
            argv = (
                self._client.tool("pg_restore"),
                "--data-only",
                f"--use-list=/proc/self/fd/{toc.fileno()}",
                "--file=-",
                f"/proc/self/fd/{self._archive}",
            )
            with stream(Command(argv, base_environment(), pass_fds=(self._archive, toc.fileno()))) as pieces:
                yield from copied_tables(pieces)

    def _condition(self, session: Session, relation: Relation, wanted: Mapping[str, Sequence[str]]) -> sql.Composable:
        """What stands behind COPY. The values get there as bound parameters, through constants that functions give."""
        if session.info.server_version < _CAN_FILTER:
            return sql.SQL("")
        tests = []
        for name, values in sorted(wanted.items()):
            column = relation.column(name)
            if column is not None and len(values) <= _FEW and not column.is_generated and "[" not in column.cast:
                tests.append(self._test(session, column, values))
        return sql.SQL(" WHERE ") + sql.SQL(" AND ").join(tests) if tests else sql.SQL("")

    def _test(self, session: Session, column: Column, values: Sequence[str]) -> sql.Composed:
        number = next(self._filters)
        table, function = sql.Identifier(f"wanted_{number}"), sql.Identifier(f"the_wanted_{number}")
        kind = sql.SQL(column.cast)
        session.execute(
            sql.SQL("CREATE TEMPORARY TABLE {} AS SELECT unnest(%s::text[])::{} AS value").format(table, kind),
            (list(values),),
        )
        session.execute(
            sql.SQL(
                "CREATE FUNCTION pg_temp.{}() RETURNS {}[] IMMUTABLE LANGUAGE sql AS "
                "'SELECT array_agg(value) FROM pg_temp.{}'"
            ).format(function, kind, table)
        )
        return sql.SQL("{} OPERATOR({}.=) ANY (pg_temp.{}())").format(
            column.identifier, sql.Identifier(column.operators), function
        )


@contextmanager
def bare_restore(
    environment: Environment, id: RestorePointId, recovery: Recovery, *, progress: Progress
) -> Iterator[BareRestore]:
    """Fetch a restore point's archive, proven whole, beside an empty database in a throwaway recovery environment.

    Raises what reading a restore point raises.
    """
    manifest = environment.catalog.manifest(id, environment.verifier())
    demand_whole(environment, id, manifest)
    environment.demand_identities()
    create_database(recovery.target, manifest.database.source)
    client = reader_for(manifest.database.client_version, server_major=inspect(recovery.target).server_major)
    progress.begin("fetch", dump_artifact(manifest).bytes)
    with archive_file(archive_of(environment, manifest, progress), recovery.folder) as archive:
        progress.end()
        yield BareRestore(recovery.target, manifest, client, archive, list_file(client, archive), progress)


def quoted(name: QualifiedName) -> str:
    """The name in quotes, so that it means this table and no other."""
    schema, table = (part.replace('"', '""') for part in (name.schema, name.name))
    return f'"{schema}"."{table}"'


def _copy(session: Session, table: Copied, where: sql.Composable, progress: Progress) -> tuple[int, int]:
    """Rows read and rows kept. The command is the archive's own, which a restore would execute as it stands."""
    read = 0
    session.execute("SELECT pg_catalog.set_config('client_encoding', %s, false)", (table.encoding,))
    try:
        with session.cursor() as cursor:
            command = sql.SQL(table.command.decode(session.info.encoding)) + where
            with contextlib.closing(table.pieces) as pieces, cursor.copy(command) as copy:
                for piece in pieces:
                    read += piece.count(b"\n")
                    progress.advance(len(piece))
                    copy.write(piece)
            return read, cursor.rowcount
    finally:
        if not session.broken:
            session.execute("SELECT pg_catalog.set_config('client_encoding', 'UTF8', false)")
