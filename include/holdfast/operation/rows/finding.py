"""Finds rows in a restore point: only the tables that they need are restored, and of these only what may be wanted."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import replace

from holdfast.environment import Environment
from holdfast.errors import UsageError
from holdfast.operation.rows.asking import demand_values, rows_by_keys, rows_by_predicate
from holdfast.operation.rows.following import Follower
from holdfast.operation.rows.lineage import Lineage, lineage_of
from holdfast.operation.rows.pool import Pool
from holdfast.operation.rows.request import RowsRequest
from holdfast.operation.rows.texts import Row, settle
from holdfast.operation.scratch import scratch
from holdfast.postgres.conninfo import Target
from holdfast.postgres.relations import QualifiedName, Relation, find_relation
from holdfast.postgres.session import Session, connect, translated
from holdfast.progress import Progress
from holdfast.recovery import Recovery
from holdfast.restore.bare import BareRestore, bare_restore
from holdfast.values.ids import RestorePointId


def find_rows(
    environment: Environment,
    point: RestorePointId,
    request: RowsRequest,
    live: Session,
    relations: Mapping[QualifiedName, Relation],
    *,
    progress: Progress,
) -> Pool:
    """The asked rows and those that they refer to and live lacks, from a restore point; live is only read.

    Raises UsageError for a table, key or predicate that cannot be used, or that more rows fit than the limit allows.
    """
    request.demand_readable()
    asked = find_relation(relations, request.table, where="the live database")
    _demand_recoverable(asked)
    lineage = lineage_of(relations, asked.name)
    with (
        scratch(environment, point, f"{point}.rows-{secrets.token_hex(3)}") as recovery,
        bare_restore(environment, point, recovery, progress=progress) as bare,
    ):
        if not bare.has(asked.name):
            raise UsageError(
                f"table {asked.name}: not in restore point {point}", hint="Choose a restore point that holds it."
            )
        bare.define([name for name in lineage.tables if bare.has(name)])
        restored = _restored(bare.relations, relations, lineage)
        return _found(recovery, bare, request, _pool(request, asked, relations, restored), lineage, restored, live)


def _found(
    recovery: Recovery,
    bare: BareRestore,
    request: RowsRequest,
    pool: Pool,
    lineage: Lineage,
    restored: Mapping[QualifiedName, Relation],
    live: Session,
) -> Pool:
    with connect(bare.target) as session, translated(bare.target, "looking for the rows"):
        settle(session)
        asked = _asked(recovery, bare, session, request, pool, lineage, restored)
        pool.rows = {row.id: row for row in asked}
        pool.asked = tuple(sorted(pool.rows))
        Follower(pool, lineage, restored, bare, session, live).follow(asked)
    return pool


def _asked(
    recovery: Recovery,
    bare: BareRestore,
    session: Session,
    request: RowsRequest,
    pool: Pool,
    lineage: Lineage,
    restored: Mapping[QualifiedName, Relation],
) -> list[Row]:
    relation = restored[pool.table]
    demand_values(session, relation, request)
    # What refers to its own table may need any row of it.
    bare.load(session, pool.table, None if pool.table in lineage.circular else request.wanted)
    if request.predicate is None:
        rows, pool.absent = rows_by_keys(session, relation, request)
    else:
        recovery.hand_over()
        rows = rows_by_predicate(session, Target.parse(recovery.application_url), relation, request)
    if len(rows) > request.limit:
        raise UsageError(
            f"table {pool.table}: more than {request.limit} rows fit",
            hint="Narrow it down, raise the limit if you mean all of them, or restore the table as a whole.",
        )
    if len({row.id for row in rows}) < len(rows):
        raise UsageError(f"table {pool.table}: live's primary key is not unique among the rows of the restore point")
    return rows


def _demand_recoverable(relation: Relation) -> None:
    if relation.partition_of is not None:
        raise UsageError(
            f"table {relation.name}: is a partition of {relation.partition_of}", hint="Name the partitioned table."
        )
    if not relation.primary_key:
        raise UsageError(
            f"table {relation.name}: has no primary key, so that its rows cannot be told apart",
            hint="Restore the table beside live (restore_tables), or give it a primary key first.",
        )


def _restored(
    found: Mapping[QualifiedName, Relation], live: Mapping[QualifiedName, Relation], lineage: Lineage
) -> dict[QualifiedName, Relation]:
    """The restored tables that can be used, with live's primary keys, for they were restored without."""
    usable = {}
    for name in lineage.tables:
        relation, key = found.get(name), live[name].primary_key
        if relation is not None and key and all(relation.column(column) is not None for column in key):
            usable[name] = replace(relation, primary_key=key)
    return usable


def _pool(
    request: RowsRequest,
    asked: Relation,
    relations: Mapping[QualifiedName, Relation],
    restored: Mapping[QualifiedName, Relation],
) -> Pool:
    if asked.name not in restored:
        raise UsageError(
            f"table {asked.name}: its primary key in live ({', '.join(asked.primary_key)}) is not in the restore point",
            hint="Restore the table beside live (restore_tables).",
        )
    shared, notes, faults = {}, [], []
    for name in restored:
        shared[name] = tuple(_shared(relations[name], restored[name]))
        notes += _notes(relations[name], restored[name])
        faults += _faults(relations[name], restored[name]) if name == asked.name else []
    return Pool(request, asked.name, relations, shared, notes=tuple(notes), faults=tuple(faults))


def _shared(live: Relation, restored: Relation) -> Iterable[str]:
    return (
        column.name for column in live.columns if not column.is_generated and restored.column(column.name) is not None
    )


def _notes(live: Relation, restored: Relation) -> list[str]:
    gone = [column.name for column in restored.columns if live.column(column.name) is None]
    added = [each.name for each in live.columns if restored.column(each.name) is None and not each.is_generated]
    return [
        *(f"{live.name}: live has no column {name} any more: its values are not recovered" for name in gone),
        *(f"{live.name}: column {name} is newer, inserted rows get its default" for name in added),
    ]


def _faults(live: Relation, restored: Relation) -> list[str]:
    return [
        f"{live.name}: column {each.name} is newer than the restore point, may not be NULL and has no default"
        for each in live.columns
        if restored.column(each.name) is None
        and each.not_null
        and not (each.has_default or each.identity or each.is_generated)
    ]
