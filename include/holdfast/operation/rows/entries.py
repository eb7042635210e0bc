"""What was done to each row, as lines of JSON: enough to tell whether it stands, and to take it back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from holdfast.errors import IntegrityError
from holdfast.operation.rows.deciding import Decision
from holdfast.operation.rows.pool import Pool
from holdfast.operation.rows.texts import Row, RowId
from holdfast.postgres.relations import QualifiedName

Action = Literal["insert", "overwrite", "delete"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One row. ``columns`` were written; ``row`` is what it is afterwards, ``before`` what it was, None where there is
    none."""

    action: Action
    id: RowId
    columns: tuple[str, ...]
    row: Mapping[str, str | None] | None
    before: Mapping[str, str | None] | None

    def line(self) -> bytes:
        """One line of JSON."""
        told = {
            "action": self.action,
            "table": [self.id.table.schema, self.id.table.name],
            "key": list(self.id.key),
            "columns": list(self.columns),
            "row": dict(self.row) if self.row is not None else None,
            "before": dict(self.before) if self.before is not None else None,
        }
        return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"

    @classmethod
    def parse(cls, line: bytes) -> Entry:
        """Read such a line; raises IntegrityError for any other."""
        try:
            told = json.loads(line)
            id = RowId(QualifiedName(*told["table"]), tuple(told["key"]))
            return cls(told["action"], id, tuple(told["columns"]), told["row"], told["before"])
        except (ValueError, KeyError, TypeError) as error:
            raise IntegrityError("record of rows: a line of unknown form") from error

    @property
    def stands(self) -> Row:
        """The row as it was written; only of one that was not deleted."""
        assert self.row is not None
        return Row(self.id, self.row)


def entries_of(pool: Pool, decision: Decision) -> Iterator[Entry]:
    """What a decision does."""
    for row in decision.inserts:
        yield Entry("insert", row.id, pool.shared[row.id.table], row.values, None)
    for change in decision.overwrites:
        yield Entry("overwrite", change.row.id, change.columns, change.row.values, change.before.values)


def parse_entries(lines: Iterable[bytes]) -> tuple[Entry, ...]:
    """All lines of a record."""
    return tuple(Entry.parse(line) for line in lines if line)
