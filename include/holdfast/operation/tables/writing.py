"""Writes what differs into live: deletes, updates and inserts of whole sets, in the transaction under way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import psycopg

from holdfast.errors import RestoreError
from holdfast.operation.tables.examining import Examination
from holdfast.operation.tables.statements import delete, empty, fill, insert, is_rewritten, update
from holdfast.postgres.session import Session

_NAMES_AS_FOR_THE_APPLICATION = "SET LOCAL search_path TO DEFAULT"
_NO_NAMES = "SELECT pg_catalog.set_config('search_path', '', true)"


@dataclass(frozen=True, slots=True)
class _Way:
    """One order of doing it. A way that meets a constraint is undone, and the next one tried."""

    name: str
    is_silent: bool
    is_rewriting: bool
    writes: Callable[[Session, Examination, bool], None]


def write(live: Session, found: Examination) -> str:
    """Write everything; returns how it was done, in words. Raises RestoreError where the database refuses every way."""
    refused: psycopg.IntegrityError | None = None
    for way in _ways(found):
        try:
            with live.transaction():
                _prepare(live, way)
                way.writes(live, found, way.is_rewriting)
                live.execute("SET CONSTRAINTS ALL IMMEDIATE")
                live.execute(_NO_NAMES)
        except psycopg.IntegrityError as error:
            refused = error
            continue
        return way.name
    assert refused is not None
    raise RestoreError(
        f"restoring tables: {_said(refused)}; everything was rolled back",
        hint="Rows that stay in live, or a trigger, stand against it: choose the other table too, or replace.",
    ) from refused


def _ways(found: Examination) -> tuple[_Way, ...]:
    if found.writing.is_silent:
        return (
            _Way("without triggers", True, False, _delete_first),
            # Rows that exchange a unique value can only be taken out and put in again.
            _Way("without triggers, changed rows written anew", True, True, _delete_first),
        )
    return (
        _Way("with triggers, parents first", False, False, _insert_first),
        _Way("with triggers, deletions first", False, False, _delete_first),
    )


def _prepare(live: Session, way: _Way) -> None:
    # Checks, defaults and triggers find what they name as they do for the application.
    live.execute(_NAMES_AS_FOR_THE_APPLICATION)
    live.execute("SET CONSTRAINTS ALL DEFERRED")
    if way.is_silent:
        live.execute("SET LOCAL session_replication_role = replica")


def _delete_first(live: Session, found: Examination, is_rewriting: bool) -> None:
    order = found.writing.order
    empty(live, found)
    for pair in reversed(order):
        delete(live, pair, found, is_rewriting=is_rewriting)
    for pair in order:
        if not is_rewritten(pair, found, is_rewriting):
            update(live, pair, pair.columns, "c")
    for pair in order:
        insert(live, pair, found, is_rewriting=is_rewriting)
    fill(live, found)


def _insert_first(live: Session, found: Examination, is_rewriting: bool) -> None:
    """No row loses what it refers to, and nothing cascades: what is deleted last, nobody refers to any more."""
    order = found.writing.order
    for pair in order:
        insert(live, pair, found, is_rewriting=is_rewriting)
    fill(live, found)
    for pair in order:
        update(live, pair, pair.columns, "c")
    empty(live, found)
    for pair in reversed(order):
        delete(live, pair, found, is_rewriting=is_rewriting)


def _said(error: psycopg.Error) -> str:
    """The server's words without its detail, which quotes rows."""
    return error.diag.message_primary or type(error).__name__
