"""Compare a restored database with the manifest: every table's rows, and that no sequence went back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Sequence as Ordered
from concurrent.futures import ThreadPoolExecutor

from holdfast.manifest.evidence import TableRows
from holdfast.manifest.model import Sequence, Table
from holdfast.postgres.conninfo import Target
from holdfast.postgres.sequences import cycling_sequences, read_sequences
from holdfast.postgres.session import connect, translated
from holdfast.postgres.tables import TableRef, count_rows, list_tables


def compare_counts(
    target: Target, expected: Ordered[Table], *, workers: int = 1, whole: bool = True
) -> tuple[str, ...]:
    """One line per table whose rows differ from ``expected``, per missing one, and per surplus one if ``whole``.

    Nothing returned means equality. The rows are counted by the same code as in the snapshot.
    """
    return differences(count_tables(target, expected, workers=workers, whole=whole))


def count_tables(
    target: Target, expected: Ordered[Table], *, workers: int = 1, whole: bool = True
) -> tuple[TableRows, ...]:
    """Every table with its rows as expected and as found; if ``whole`` those that nobody expects, too (uncounted)."""
    with connect(target) as session, translated(target, "listing tables"):
        tables = {(table.schema_name, table.name): table for table in list_tables(session)}
    wanted = {(table.schema_name, table.name): table.rows for table in expected}
    found = _count(target, [table for name, table in tables.items() if name in wanted], workers)
    compared = [
        TableRows(table=_name(name), expected=rows, found=found[tables[name].oid] if name in tables else None)
        for name, rows in wanted.items()
    ]
    surplus = [
        TableRows(table=_name(name), expected=None, found=None) for name in tables if whole and name not in wanted
    ]
    return (*compared, *surplus)


def differences(counted: Iterable[TableRows]) -> tuple[str, ...]:
    """One line per table that is not as expected, the missing ones first."""
    each = tuple(counted)
    return tuple(
        [f"table {rows.table} is missing" for rows in each if rows.is_missing]
        + [f"table {rows.table}: {rows.found} rows, {rows.expected} in the snapshot"
           for rows in each if rows.found is not None and rows.found != rows.expected]
        + [f"table {rows.table} is not in the manifest" for rows in each if rows.expected is None]
    )  # fmt: skip


def compare_sequences(target: Target, expected: Ordered[Sequence]) -> tuple[str, ...]:
    """One line per sequence that is missing or not known, or stands before the value recorded in the snapshot.

    Sequences are outside of transactions: the dump, which reads them a moment after the snapshot, may hold
    later values, never earlier ones. Cycling sequences may, so of them only the existence is checked.
    """
    with connect(target) as session, translated(target, "reading sequences"):
        restored = {(each.schema_name, each.name): each for each in read_sequences(session)}
        cycling = cycling_sequences(session)
    return tuple(_sequence_differences(expected, restored, cycling))


def _count(target: Target, tables: Ordered[TableRef], workers: int) -> dict[int, int]:
    ordered = sorted(tables, key=lambda table: table.pages, reverse=True)
    shares = [share for share in (ordered[start::workers] for start in range(workers)) if share]
    with ThreadPoolExecutor(max_workers=max(1, len(shares))) as pool:
        counted = list(pool.map(lambda share: _count_share(target, share), shares))
    return {oid: rows for each in counted for oid, rows in each.items()}


def _count_share(target: Target, tables: Ordered[TableRef]) -> dict[int, int]:
    with connect(target) as session, translated(target, "counting rows"):
        session.execute("SET row_security = off")
        session.execute("SET statement_timeout = 0")
        return count_rows(session, tables)


def _sequence_differences(
    expected: Ordered[Sequence], restored: dict[tuple[str, str], Sequence], cycling: frozenset[tuple[str, str]]
) -> Iterator[str]:
    for wanted in expected:
        name = (wanted.schema_name, wanted.name)
        found = restored.get(name)
        if found is None:
            yield f"sequence {_name(name)} is missing"
        elif wanted.last_value is not None and name not in cycling and _is_behind(found, wanted.last_value):
            yield f"sequence {_name(name)}: stands at {found.last_value}, before {wanted.last_value} of the snapshot"
    known = {(each.schema_name, each.name) for each in expected}
    yield from (f"sequence {_name(name)} is not in the manifest" for name in restored if name not in known)


def _is_behind(found: Sequence, recorded: int) -> bool:
    if found.last_value is None:
        return True
    return found.last_value < recorded if found.increment > 0 else found.last_value > recorded


def _name(name: tuple[str, str]) -> str:
    return ".".join(name)
