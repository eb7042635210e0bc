"""Tells what would become of the rows: keys and names of columns, and a hash of all contents, but no content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from holdfast.operation.rows.deciding import Change, Decision, shown_key
from holdfast.operation.rows.entries import entries_of
from holdfast.operation.rows.pool import Pool
from holdfast.operation.rows.texts import RowId
from holdfast.operation.rows.triggers import Triggers
from holdfast.operation.rows.wording import code, count, visible
from holdfast.postgres.relations import QualifiedName

SHOWN = 20


def body_of(pool: Pool, decision: Decision, triggers: Sequence[Triggers], point: str, live: str) -> str:
    """The plan in Markdown: the same rows in live and restore point give the same bytes."""
    lines = [f"## Recover rows of {code(str(pool.table))}", "", f"From restore point `{point}` into live, {live}.", ""]
    lines += [f"Asked for: {_asked(pool)}.", ""]
    tables = sorted({row.id.table for row in decision.inserts} | {each.row.id.table for each in decision.overwrites})
    if decision.is_empty:
        lines += ["**Nothing to do**: no row would be inserted or overwritten.", ""]
    for table in tables:
        lines += _table(pool, decision, table)
    lines += _left(pool, decision)
    lines += ["", "### Besides", ""]
    lines += [line for each in triggers for line in each.lines()]
    if tables:
        lines += ["- sequences that columns of these tables own are raised where they lag behind, never set back"]
    lines += [f"- {note}" for note in pool.notes]
    lines += ["", f"SHA-256 of all contents that would be written or replaced: `{digest(pool, decision)}`", ""]
    return "\n".join(map(visible, lines))


def digest(pool: Pool, decision: Decision) -> str:
    """The hash of every value that would be written, and of every one that would be replaced, hexadecimal."""
    hashed = hashlib.sha256()
    for entry in entries_of(pool, decision):
        hashed.update(entry.line())
    return hashed.hexdigest()


def _asked(pool: Pool) -> str:
    request = pool.request
    if request.predicate is not None:
        return f"rows for which {code(request.predicate)}"
    wanted = [
        f"{code(name)} is {' or '.join(map(code, values[:SHOWN]))}{_more(len(values))}"
        for name, values in request.wanted.items()
    ]
    return f"rows whose {' and '.join(wanted)}"


def _table(pool: Pool, decision: Decision, table: QualifiedName) -> Iterator[str]:
    asked = set(pool.asked)
    inserts = [row.id for row in decision.inserts if row.id.table == table and row.id in asked]
    parents = [row.id for row in decision.inserts if row.id.table == table and row.id not in asked]
    overwrites = [change for change in decision.overwrites if change.row.id.table == table]
    yield from (f"### {code(str(table))}", "")
    yield from _keys(pool, f"insert {count(inserts)} that live lacks", inserts)
    yield from _keys(pool, f"insert {count(parents)} that the rows above refer to", parents)
    yield from _changes(pool, f"**overwrite** {count(overwrites)} that live has otherwise", overwrites)
    yield ""


def _left(pool: Pool, decision: Decision) -> Iterator[str]:
    yield from ("### What stays as it is", "")
    yield f"- {count(decision.same)} that live has just so"
    yield from _changes(pool, f"{count(decision.conflicts)} that live has otherwise: left alone", decision.conflicts)
    if decision.blocked:
        yield f"- {count(decision.blocked)} that cannot be inserted:"
        for id in list(decision.blocked)[:SHOWN]:
            yield f"  - {code(f'{id.table} {shown_key(pool, id)}')}: {decision.blocked[id]}"
        yield from _and_more(len(decision.blocked))
    if pool.absent:
        yield f"- not in the restore point: {', '.join(map(code, pool.absent[:SHOWN]))}" + _more(len(pool.absent))


def _keys(pool: Pool, what: str, ids: Sequence[RowId]) -> Iterator[str]:
    if ids:
        yield f"- {what}:"
        yield from (f"  - {code(shown_key(pool, id))}" for id in ids[:SHOWN])
        yield from _and_more(len(ids))


def _changes(pool: Pool, what: str, changes: Sequence[Change]) -> Iterator[str]:
    if changes:
        yield f"- {what}:"
        for change in changes[:SHOWN]:
            yield f"  - {code(shown_key(pool, change.row.id))}: differs in {', '.join(map(code, change.columns))}"
        yield from _and_more(len(changes))


def _and_more(count: int) -> Iterator[str]:
    if count > SHOWN:
        yield f"  - and {count - SHOWN} more"


def _more(count: int) -> str:
    return f" and {count - SHOWN} more" if count > SHOWN else ""
