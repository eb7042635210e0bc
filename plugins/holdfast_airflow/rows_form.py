"""The form of the DAG that recovers rows: which of them, and what becomes of those that are there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from airflow.sdk import Param
from pydantic import JsonValue

from holdfast.errors import UsageError
from holdfast.values.ids import RestorePointId
from holdfast_airflow.answers import column_of, lines_of, number_of, one_of, table_of
from holdfast_airflow.condition import condition_of, condition_param, table_param
from holdfast_airflow.operation_form import Asked, reason_param, restore_point_param, window_params
from holdfast_airflow.restore_choices import NONE, Choices

Conflicts = Literal["report", "overwrite"]
Triggers = Literal["quiet", "fire"]
CONFLICTS: tuple[Conflicts, ...] = ("report", "overwrite")
TRIGGERS: tuple[Triggers, ...] = ("quiet", "fire")
USUAL_LIMIT = 10_000
_HIGHEST_LIMIT = 1_000_000
_KEY = re.compile(r'\s*("(?:[^"]|"")+"|[^"=]+?)\s*=(.*)', re.DOTALL)


@dataclass(frozen=True, slots=True)
class RowsForm:
    """The answers of one run, each checked as far as can be without a database."""

    asked: Asked
    restore_point: RestorePointId
    table: str
    keys: tuple[tuple[str, str], ...]
    predicate: str | None
    conflicts: Conflicts
    triggers: Triggers
    limit: int

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Self:
        """The answers in a run's params; raises UsageError naming the field that cannot be meant."""
        given = {name: params[name] for name in params}
        table = table_of(given.get("table"), "table")
        keys = tuple(key_of(line) for line in lines_of(given.get("keys"), "keys"))
        predicate = condition_of(given.get("predicate"), "predicate")
        if bool(keys) == (predicate is not None):
            raise UsageError(
                "rows: both keys and a predicate are given" if keys else "rows: neither keys nor a predicate is given",
                hint="Say which rows by one of both: keys such as id=42, or a predicate such as status = 'lost'.",
            )
        asked = Asked.of(params)
        return cls(
            asked,
            asked.demand_restore_point(),
            table,
            keys,
            predicate,
            one_of(given.get("conflicts"), "conflicts", CONFLICTS),
            one_of(given.get("triggers"), "triggers", TRIGGERS),
            number_of(given.get("limit"), "limit", usual=USUAL_LIMIT, highest=_HIGHEST_LIMIT),
        )

    def request(self) -> dict[str, JsonValue]:
        """What the operation is opened with; raises UsageError for what can be seen to be wrong."""
        from holdfast.operation.rows import RowsRequest

        asked = RowsRequest(
            table=self.table,
            keys=self.keys,
            predicate=self.predicate,
            conflicts=self.conflicts,
            triggers=self.triggers,
            limit=self.limit,
        )
        asked.demand_readable()
        return asked.model_dump(mode="json")


def key_of(line: str) -> tuple[str, str]:
    """Column and value of ``COLUMN=VALUE``, without blanks around them; the column may stand in quotes.

    Raises UsageError for anything else.
    """
    found = _KEY.fullmatch(line)
    if found is None:
        raise UsageError(
            f"keys: {line[:100]!r} is not of the form COLUMN=VALUE", hint="Write one on each line, such as id=42."
        )
    if "\0" in line:
        raise UsageError("keys: a zero byte stands in one of them")
    return column_of(found[1], "keys"), found[2].strip()


def params(choices: Choices = NONE) -> dict[str, Param]:
    """The form of a recovery, as Airflow shows it and checks it when a run is triggered through the UI or the API."""
    return {
        "restore_point": restore_point_param(choices=choices),
        "table": table_param("The table that the rows belong to"),
        "keys": Param(
            None,
            type=["null", "string"],
            format="multiline",
            title="Keys",
            description="COLUMN=VALUE, one per line: of the same column any of the values, of different columns all "
            "must fit. Or leave it empty and write a predicate",
        ),
        "predicate": condition_param("Which rows, as it would stand behind WHERE", is_required=False),
        "conflicts": Param(
            "report",
            type="string",
            enum=list(CONFLICTS),
            values_display={
                "report": "report: a row that live has with another content stays as it is",
                "overwrite": "overwrite: it becomes as it was in the restore point; what it was is kept",
            },
            title="Conflicts",
            description="What becomes of rows that are there, but differ; the plan names them",
        ),
        "triggers": Param(
            "quiet",
            type="string",
            enum=list(TRIGGERS),
            values_display={
                "quiet": "quiet: the application's triggers do not fire, for the rows are historical",
                "fire": "fire: they fire, as for new rows",
            },
            title="Triggers",
            description="Of the tables into which rows are written",
        ),
        "limit": Param(
            USUAL_LIMIT,
            type="integer",
            minimum=1,
            maximum=_HIGHEST_LIMIT,
            title="At most so many rows",
            description="More than this is refused, in case the condition means more than you do",
        ),
        "reason": reason_param(),
        **window_params(),
    }
