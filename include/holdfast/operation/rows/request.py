"""Which rows somebody wants back, and what is to become of those that live has otherwise."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from holdfast.errors import UsageError
from holdfast.manifest.model import Record
from holdfast.postgres.predicates import Predicate

MOST_ROWS = 10_000


class RowsRequest(Record):
    """Rows of one table, named as in SQL, by ``keys`` or by ``predicate``, one of both.

    ``keys`` are pairs of a column and a value as text: of the same column any, of different columns all must fit.
    ``predicate`` is a condition in SQL on the table's own columns. ``conflicts`` decides on rows that live has with
    another content. More rows than ``limit`` are refused. Triggers of people's own stay ``quiet``, for the rows are
    historical, or they ``fire``.
    """

    table: str
    keys: tuple[tuple[str, str], ...] = ()
    predicate: str | None = None
    conflicts: Literal["report", "overwrite"] = "report"
    limit: int = Field(default=MOST_ROWS, ge=1, le=1_000_000)
    triggers: Literal["quiet", "fire"] = "quiet"

    @model_validator(mode="after")
    def _checked(self) -> Self:
        if bool(self.keys) == (self.predicate is not None):
            raise ValueError("either keys or a predicate must be given, and not both")
        return self

    def demand_readable(self) -> None:
        """Raise UsageError for what can be seen to be wrong without any database."""
        if self.predicate is not None:
            Predicate.parse(self.predicate)
        if any("\0" in text for text in (self.table, *(part for pair in self.keys for part in pair))):
            raise UsageError("rows: a zero byte stands in the table's name or in a key")

    @property
    def wanted(self) -> dict[str, tuple[str, ...]]:
        """For each column of the keys the values that fit, in the order given."""
        found: dict[str, list[str]] = {}
        for column, value in self.keys:
            if value not in found.setdefault(column, []):
                found[column].append(value)
        return {column: tuple(values) for column, values in found.items()}
