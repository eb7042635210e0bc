"""The forms of the DAGs that recover rows and undo that: which rows, and what becomes of those that are there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from airflow.sdk import Param
from pydantic import JsonValue

from holdfast.errors import UsageError
from holdfast.values.ids import RestorePointId
from holdfast_airflow.answers import (
    LONGEST_NAME,
    column_of,
    line_of,
    lines_of,
    number_of,
    one_of,
    table_of,
    text_of,
)
from holdfast_airflow.operation_form import ID, Asked, reason_param, restore_point_param, window_params
from holdfast_airflow.restore_choices import NONE, Choices

Conflicts = Literal["report", "overwrite"]
Triggers = Literal["quiet", "fire"]
CONFLICTS: tuple[Conflicts, ...] = ("report", "overwrite")
TRIGGERS: tuple[Triggers, ...] = ("quiet", "fire")
USUAL_LIMIT = 10_000
_HIGHEST_LIMIT = 1_000_000
_RECOVERED = "recover_rows"
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


@dataclass(frozen=True, slots=True)
class UndoForm:
    """The answers of a run that undoes: the operation that had recovered rows, and why they are to go again."""

    of_operation: RestorePointId
    asked: Asked

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Self:
        """The answers in a run's params; raises UsageError for what is no operation that recovers rows."""
        given = {name: params[name] for name in params}
        named = line_of(given.get("operation"), "operation", longest=100)
        found = RestorePointId.recognised(named or "")
        if found is None or found.tier != _RECOVERED:
            raise UsageError(
                f"operation: {named!r} is no operation that recovers rows" if named else "operation: is missing",
                hint="Take its id from the page of the run that recovered them: 20261122T090000Z-recover_rows-4f9c2a.",
            )
        return cls(found, Asked.of({**given, "restore_point": None}))

    def request(self) -> dict[str, JsonValue]:
        """What the operation is opened with."""
        return {"of": str(self.of_operation)}


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


def condition_of(value: object, field: str) -> str | None:
    """A condition in SQL as it was written, None where none was; raises UsageError where it is not one expression."""
    from holdfast.postgres.predicates import Predicate

    if value is not None and not isinstance(value, str):
        raise UsageError(f"{field}: is no text")
    text = text_of(value)
    if text is None:
        return None
    try:
        return str(Predicate.parse(text))
    except UsageError as error:
        raise UsageError(f"{field}: {error.message}", hint=error.hint) from error


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


def undo_params() -> dict[str, Param]:
    """The form of an undo."""
    return {
        "operation": Param(
            None,
            type="string",
            pattern=ID.replace("[a-z][a-z0-9_]*", _RECOVERED),
            title="Operation",
            description="The recovery to undo: its id, from the page of its run or from its evidence",
        ),
        "reason": reason_param(),
        **window_params(),
    }


def table_param(meaning: str) -> Param:
    """One table."""
    return Param(
        None,
        type="string",
        minLength=1,
        maxLength=LONGEST_NAME,
        title="Table",
        description=f'{meaning}; mixed case in quotes as in SQL: public."User"',
    )


def condition_param(meaning: str, *, is_required: bool) -> Param:
    """A condition on the rows of one table."""
    return Param(
        None,
        type="string" if is_required else ["null", "string"],
        format="multiline",
        maxLength=4000,
        title="Condition",
        description=f"{meaning}: \"createdAt\" >= '2026-01-02' AND status IS NULL",
    )
