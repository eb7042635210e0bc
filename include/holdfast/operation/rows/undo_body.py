"""Tells which recovered rows would be taken back: keys and names of columns, and a hash of all contents."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence

from holdfast.operation.rows.body import SHOWN
from holdfast.operation.rows.livesession import Live
from holdfast.operation.rows.texts import RowId
from holdfast.operation.rows.triggers import Triggers
from holdfast.operation.rows.undo_deciding import Undoing
from holdfast.operation.rows.wording import code, count, visible
from holdfast.values.ids import RestorePointId


def undo_body(undone: RestorePointId, live: Live, undoing: Undoing, triggers: Sequence[Triggers]) -> str:
    """The plan in Markdown: the same rows in live and record give the same bytes."""
    hashed = hashlib.sha256()
    for entry in undoing.entries:
        hashed.update(entry.line())
    lines = ["## Take recovered rows back", "", f"Those that `{undone}` wrote into live, {live.identity}.", ""]
    if not undoing.entries:
        lines += ["**Nothing to do**: no row stands as it was written.", ""]
    deleted = dict.fromkeys(row.id for row in undoing.deletes)
    restored = {entry.id: f"gets back {', '.join(map(code, entry.columns))}" for entry in undoing.entries if entry.row}
    lines += _told(live, "delete {}", deleted)
    lines += _told(live, "give {} the values from before", restored)
    lines += _told(live, "{} that cannot be taken back, and stay", undoing.conflicts)
    lines += _told(live, "{} that are gone already", dict.fromkeys(undoing.gone))
    lines += [line for each in triggers for line in each.lines()]
    lines += ["", f"SHA-256 of all contents that would be written or deleted: `{hashed.hexdigest()}`", ""]
    return "\n".join(map(visible, lines))


def _told(live: Live, what: str, rows: Mapping[RowId, str | None]) -> Iterator[str]:
    if not rows:
        return
    yield f"- {what.format(count(rows))}:"
    for id in list(rows)[:SHOWN]:
        relation = live.relations.get(id.table)
        names = relation.primary_key if relation else ()
        key = ", ".join(f"{name}={value}" for name, value in zip(names, id.key, strict=False))
        reason = f": {rows[id]}" if rows[id] else ""
        yield f"  - {code(f'{id.table} {key}')}{reason}"
    if len(rows) > SHOWN:
        yield f"  - and {len(rows) - SHOWN} more"
