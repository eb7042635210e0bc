"""Takes single tables out of a recovered cluster, as they were at the target, into another database."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from psycopg import sql

from holdfast.environment import Environment
from holdfast.errors import RestoreError, UsageError
from holdfast.pitr.planning import RecoveryPlan
from holdfast.pitr.recovering import recover
from holdfast.pitr.replayed import replayed_server
from holdfast.pitr.report import Recovered
from holdfast.pitr.running import Running
from holdfast.postgres.binaries import Client, client_for, reader_for
from holdfast.postgres.conninfo import Target, resolve
from holdfast.postgres.dsn import dbname_argument
from holdfast.postgres.restoration import restore_pipe
from holdfast.postgres.session import Session, connect, translated
from holdfast.postgres.tablenames import TableName, Wanted, parse_name
from holdfast.process.child import Command, base_environment, stream
from holdfast.progress import Progress, Silent

Take = Callable[[Target], None]

_SILENT = Silent()
_CHILDREN_MAJOR = 16
_TABLES = """
SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
"""


@dataclass(frozen=True, slots=True)
class ExtractedTable:
    """A table that was taken out, and its rows, which both databases count alike."""

    name: str
    rows: int


@dataclass(frozen=True, slots=True)
class Extracted:
    """What was taken out, where to, and the recovery that it was taken from."""

    recovered: Recovered
    tables: tuple[ExtractedTable, ...]
    target: str

    def as_json(self) -> dict[str, object]:
        """Small facts for people and programs."""
        tables = [{"table": table.name, "rows": table.rows} for table in self.tables]
        return self.recovered.as_json() | {"tables": tables, "target": self.target}


def extract_tables(
    environment: Environment,
    plan: RecoveryPlan,
    names: Sequence[str],
    *,
    to: str,
    data_dir: Path | None = None,
    progress: Progress = _SILENT,
) -> Extracted:
    """Recover, and copy the tables ``names`` of the policy's database into the database ``to`` (URL or connection id).

    That must not have them. The cluster is recovered into ``data_dir``, where it stays, or among the temporary files,
    where it does not. Raises as ``recover`` does, UsageError for a table that the target has or the source had not,
    RestoreError where anything pg_restore says is unexplained, or the rows differ.
    """
    wanted = [parse_name(name) for name in names]
    target = resolve(to, environment.connections)
    database = Target.from_connection(environment.database()).database
    _demand_absent(target, wanted)
    found: list[ExtractedTable] = []

    def take(source: Target) -> None:
        progress.begin("tables")
        found.extend(_copy(source.with_database(database), target, wanted))
        progress.end(f"{len(found)} into {target.describe()}")

    if data_dir is not None:

        def promoted(running: Running) -> None:
            take(running.target)

        recovered = recover(environment, plan, data_dir, promoted=promoted, progress=progress)
    else:
        recovered = _among_temporary_files(environment, plan, take, progress)
    return Extracted(recovered, tuple(found), target.describe())


def _among_temporary_files(environment: Environment, plan: RecoveryPlan, take: Take, progress: Progress) -> Recovered:
    folder = Path(tempfile.mkdtemp(prefix="holdfast-recover-"))
    try:
        with replayed_server(environment, plan, folder / "data", progress=progress) as server:
            take(server.target)
        return server.recovered
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _demand_absent(target: Target, wanted: Sequence[Wanted]) -> None:
    with connect(target) as session:
        for table in _tables(session, target):
            if any(one.fits(table) for one in wanted):
                raise UsageError(
                    f"target {target.describe()}: it has a table {table} already",
                    hint="Name another database, or rename the table there: nothing is written over.",
                )


def _copy(source: Target, target: Target, wanted: Sequence[Wanted]) -> Iterator[ExtractedTable]:
    with connect(source) as session:
        known = list(_tables(session, source))
        tables = [_chosen(one, known) for one in wanted]
        client = client_for(session.info.server_version // 10000)
    with connect(target) as session, translated(target, "making ready for the tables"):
        reader = reader_for(client.version(), server_major=session.info.server_version // 10000)
        exact = [Wanted(str(table), table.schema_name, table.name, True) for table in tables]
        _demand_absent(target, exact)
        for schema in dict.fromkeys(table.schema_name for table in tables):
            session.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
    verdict = restore_pipe(reader, target, _dumped(client, source, tables))
    try:
        verdict.require()
    except RestoreError as error:
        raise RestoreError(f"tables into {target.describe()}: {error.message}", hint=error.hint) from error
    for table in tables:
        was, now = (_count(place, table) for place in (source, target))
        if was != now:
            raise RestoreError(f"table {table} in {target.describe()}: has {now} rows, at the target it had {was}")
        yield ExtractedTable(str(table), now)


def _tables(session: Session, target: Target) -> Iterator[TableName]:
    with translated(target, "listing tables"):
        for schema, name in session.execute(_TABLES):
            yield TableName(schema, name)


def _chosen(wanted: Wanted, known: Sequence[TableName]) -> TableName:
    found = [table for table in known if wanted.fits(table)]
    if len(found) == 1:
        return found[0]
    near = found or [table for table in known if wanted.fits_loosely(table)]
    raise UsageError(
        f"table {wanted.text}: {'several have' if found else 'none has'} this name at the target",
        hint=f"There was: {', '.join(map(str, near))}." if near else "See that name and instant are right.",
    )


def _dumped(client: Client, source: Target, tables: Sequence[TableName]) -> Iterator[bytes]:
    option = "table-and-children" if client.major >= _CHILDREN_MAJOR else "table"
    argv = (
        client.tool("pg_dump"),
        *("--format=custom", "--compress=0", "--no-owner", "--no-privileges", "--no-password"),
        *(f"--{option}={_pattern(table)}" for table in tables),
        dbname_argument(source.database),
    )
    return stream(Command(argv, base_environment() | source.environment(), source.secrets))


def _pattern(table: TableName) -> str:
    """Between quotes nothing is a pattern (PostgreSQL manual, "Patterns")."""
    quoted = (part.replace('"', '""') for part in (table.schema_name, table.name))
    return ".".join(f'"{part}"' for part in quoted)


def _count(target: Target, table: TableName) -> int:
    with connect(target) as session, translated(target, f"counting {table}"):
        counted = sql.SQL("SELECT pg_catalog.count(*) FROM {}")
        row = session.execute(counted.format(sql.Identifier(table.schema_name, table.name))).fetchone()
    assert row is not None
    return int(row[0])
