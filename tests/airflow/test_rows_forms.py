"""The forms that restore tables, recover rows, undo that and find an instant: each field is checked before anything."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk.definitions.param import ParamsDict
from airflow.sdk.exceptions import ParamValidationError

from holdfast.errors import UsageError
from holdfast_airflow import instant_form, rows_form, tables_form, undo_form
from holdfast_airflow.answers import lines_of
from holdfast_airflow.instant_form import InstantForm
from holdfast_airflow.operation_form import Asked
from holdfast_airflow.rows_form import RowsForm, key_of
from holdfast_airflow.tables_form import TablesForm
from holdfast_airflow.undo_form import UndoForm

POINT = "20261122T090000Z-nightly-4f9c2a"
RECOVERY = "20261122T090000Z-recover_rows-4f9c2a"
COMMON = {"restore_point": POINT, "reason": "incident 7"}
TABLES = {**COMMON, "tables": 'public."User"\n orders \n\n', "mode": "merge"}
ROWS = {**COMMON, "table": 'public."User"', "keys": 'id=1\n "userId" = a=b'}
UNDO = {"operation": RECOVERY, "reason": "incident 7"}
INSTANT = {"table": '"AttendanceRecord"', "time_column": '"createdAt"', "condition": "status IS NULL"}
WINDOW = {"window_begins": "2026-11-22T22:00+01:00", "window_ends": "2026-11-22T23:00+01:00", "ticket": "CHG-1234"}

# What people who try things out write where a name, an id or a choice is expected.
HOSTILE = [
    'x"; DROP TABLE users; --',
    "x; DROP TABLE users",
    "x'; SELECT pg_sleep(9) --",
    "public.users WHERE true",
    "(SELECT 1)",
    "../../etc/passwd",
    "{{ conn.shop_db.password }}",
    "a\nb",
    "a\x00b",
    "a\u202eb",
    "x" * 5000,
    ["x"],
    {"x": 1},
    7,
    True,
]


def test_tables_are_read_by_line_or_as_json() -> None:
    """Blanks, empty lines and a name that is given twice count for nothing."""
    form = TablesForm.of(TABLES)
    assert (form.tables, form.mode, str(form.restore_point)) == (('public."User"', "orders"), "merge", POINT)
    given = TablesForm.of({**TABLES, "tables": '["orders", "public.\\"User\\"", "orders"]', "mode": None})
    assert (given.tables, given.mode) == (("orders", 'public."User"'), "replace")
    assert given.request() == {"tables": ["orders", 'public."User"'], "mode": "replace"}


def test_keys_are_columns_and_values() -> None:
    """A column may stand in quotes; behind the first equals sign everything is the value."""
    form = RowsForm.of(ROWS)
    assert form.keys == (("id", "1"), ("userId", "a=b"))
    assert form.request()["keys"] == [["id", "1"], ["userId", "a=b"]]
    assert key_of('"a ""= b"=') == ('a "= b', "")
    assert key_of("email=x'; DROP TABLE users; --") == ("email", "x'; DROP TABLE users; --")  # bound, never SQL


def test_condition_stands_in_place_of_keys() -> None:
    """One of both, and it reaches the engine as it was written."""
    form = RowsForm.of({**ROWS, "keys": None, "predicate": " \"createdAt\" > '2026-01-02' AND name = 'a;b' "})
    assert form.request()["predicate"] == "\"createdAt\" > '2026-01-02' AND name = 'a;b'"
    for wrong in ({"keys": None}, {"predicate": "true"}, {"keys": " \n "}):
        with pytest.raises(UsageError, match="keys"):
            RowsForm.of({**ROWS, **wrong})


def test_undo_and_instant_are_read_as_given() -> None:
    """The operation alone says what is undone; a column's quotes are no part of its name."""
    assert UndoForm.of(UNDO).request() == {"of": RECOVERY}
    assert InstantForm.of(INSTANT) == InstantForm('"AttendanceRecord"', "createdAt", "status IS NULL")


def test_change_window_has_both_ends_with_offset() -> None:
    """And a ticket, which is a reference and no text."""
    window = Asked.of({**COMMON, **WINDOW}).window
    assert window is not None
    assert (window.begins_at, window.ticket) == (datetime(2026, 11, 22, 21, tzinfo=UTC), "CHG-1234")
    assert Asked.of(COMMON).window is None


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"window_begins": None}, "one of its ends is missing"),
        ({"window_ends": "2026-11-22T23:00"}, "window_ends: .* has no UTC offset"),
        ({"window_ends": "tomorrow"}, "window_ends: 'tomorrow' is no date"),
        ({"window_ends": WINDOW["window_begins"]}, "ends before it begins"),
        ({"ticket": "`CHG`** approved **"}, "ticket: .* is no reference"),
        ({"window_begins": None, "window_ends": None}, "ticket: is given without a change window"),
        ({"reason": "x\n\n### Rehearsal\n\nPASSED"}, "reason: holds a line break"),
        ({"reason": "  "}, "reason: is missing"),
        ({"restore_point": "latest"}, "restore point id 'latest'"),
    ],
)
def test_common_fields_are_refused_by_name(answers: dict[str, str | None], said: str) -> None:
    """A line break in a reason could write a plan of its own under the eyes of who approves."""
    with pytest.raises(UsageError, match=said):
        Asked.of({**COMMON, **WINDOW, **answers})


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda value: repr(value)[:20])
@pytest.mark.parametrize(
    ("form", "answers", "field"),
    [
        (TablesForm, TABLES, "tables"),
        (TablesForm, TABLES, "mode"),
        (TablesForm, TABLES, "restore_point"),
        (RowsForm, ROWS, "table"),
        (RowsForm, ROWS, "conflicts"),
        (RowsForm, ROWS, "triggers"),
        (RowsForm, ROWS, "restore_point"),
        (UndoForm, UNDO, "operation"),
        (InstantForm, INSTANT, "table"),
        (InstantForm, INSTANT, "time_column"),
    ],
)
def test_what_is_no_name_is_refused(form: Any, answers: dict[str, str], field: str, hostile: Any) -> None:
    """Names, ids and choices have a form of their own, and the message says which field it was."""
    if (field, hostile) in (("tables", ["x"]), ("tables", "a\nb")):
        return  # two good ways to name tables
    with pytest.raises(UsageError, match=field.replace("restore_point", "restore.point")):
        form.of({**answers, field: hostile})


@pytest.mark.parametrize(
    "hostile",
    [
        "true; DROP TABLE users",
        "true) OR (true",
        "true -- and so on",
        "true /* */",
        "$$x$$ = $1",
        "SELECT 1",
        "name = 'x",
        'name = U&"x"',
        "x" * 5000,
        ["true"],
        7,
    ],
    ids=lambda value: repr(value)[:20],
)
@pytest.mark.parametrize(
    ("form", "answers", "field"),
    [(RowsForm, {**ROWS, "keys": None}, "predicate"), (InstantForm, INSTANT, "condition")],
)
def test_what_is_not_one_condition_is_refused(form: Any, answers: dict[str, str], field: str, hostile: Any) -> None:
    """Nothing can end the parentheses into which it is put, or stand beside it."""
    with pytest.raises(UsageError, match=field):
        form.of({**answers, field: hostile})


@pytest.mark.parametrize("line", ["id", "=1", '"id=1', "id ; x=1", "a.b=1", "(id)=1", "id\x00=1"])
def test_what_is_no_key_is_refused(line: str) -> None:
    """Left of the equals sign stands one column."""
    with pytest.raises(UsageError, match="keys"):
        key_of(line)


@pytest.mark.parametrize("limit", [0, -1, 1_000_001, "7", 1.5, True])
def test_limit_is_a_whole_number_within_reason(limit: Any) -> None:
    """None means the usual one."""
    with pytest.raises(UsageError, match="limit"):
        RowsForm.of({**ROWS, "limit": limit})
    assert RowsForm.of(ROWS).limit == rows_form.USUAL_LIMIT


@pytest.mark.parametrize("value", [7, {"a": 1}, ["a", 1], '["a", 1]', "[", "[" * 5000, "a\n" * 1001])
def test_lines_are_lines(value: Any) -> None:
    """Or an array of texts, and not endless."""
    with pytest.raises(UsageError, match="field"):
        lines_of(value, "field")


@pytest.mark.parametrize(
    ("params", "good"),
    [
        (tables_form.params, TABLES),
        (rows_form.params, ROWS),
        (
            rows_form.params,
            {**ROWS, "keys": None, "predicate": "true", **WINDOW},
        ),
        (undo_form.params, UNDO),
        (instant_form.params, INSTANT),
    ],
)
def test_airflow_takes_good_answers_and_no_run_without(params: Any, good: dict[str, Any]) -> None:
    """The form itself refuses what is missing, before there is a run."""
    form = ParamsDict(params())
    form.update(good)
    form.validate()
    with pytest.raises(ParamValidationError):
        ParamsDict(params()).validate()
