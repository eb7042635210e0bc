"""What a restore point gives for a request: the rows that were asked for, and those that they refer to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from holdfast.operation.rows.request import RowsRequest
from holdfast.operation.rows.texts import Row, RowId
from holdfast.postgres.relations import ForeignKey, QualifiedName, Relation


@dataclass(frozen=True, slots=True)
class Link:
    """A row's reference by one foreign key; ``parent`` is the row of the restore point, None where it has none."""

    child: RowId
    key: ForeignKey
    values: tuple[str, ...]
    parent: RowId | None


@dataclass(slots=True)
class Pool:
    """Rows of the restore point. ``relations`` are live's, of every table that may be written or is referred to.

    ``shared`` are the columns, by table, that the restore point has and live can be given. ``absent`` are asked values
    that no row has.
    """

    request: RowsRequest
    table: QualifiedName
    relations: Mapping[QualifiedName, Relation]
    shared: Mapping[QualifiedName, tuple[str, ...]]
    asked: tuple[RowId, ...] = ()
    rows: dict[RowId, Row] = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)
    absent: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()

    def links_of(self) -> dict[RowId, list[Link]]:
        """The references of each row."""
        found: dict[RowId, list[Link]] = {}
        for link in self.links:
            found.setdefault(link.child, []).append(link)
        return found

    def by_table(self) -> dict[QualifiedName, list[Row]]:
        """The rows of each table, in the order of their keys."""
        found: dict[QualifiedName, list[Row]] = {}
        for id in sorted(self.rows):
            found.setdefault(id.table, []).append(self.rows[id])
        return found
