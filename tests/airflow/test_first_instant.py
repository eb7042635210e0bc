"""The task that finds a corruption's first instant, against a real database and store."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowFailException

from fix_environment import MakeSite, Site
from holdfast_airflow.operators import FirstInstantOperator
from point_factory import store_point

TABLES = """
CREATE TABLE "AttendanceRecord" (id int PRIMARY KEY, status text, "createdAt" timestamptz NOT NULL, local timestamp);
INSERT INTO "AttendanceRecord" SELECT n, CASE WHEN n BETWEEN 40 AND 60 THEN NULL ELSE 'present' END,
  timestamptz '2026-11-20 00:00Z' + n * interval '1 hour', timestamp '2026-11-20 00:00' + n * interval '1 hour'
  FROM generate_series(1, 100) n;
"""
FIRST = datetime(2026, 11, 21, 16, tzinfo=UTC)
Find = Callable[..., dict[str, Any]]


@pytest.fixture
def site(make_site: MakeSite, make_database: Callable[..., str]) -> Site:
    """A table that was wrong for some hours, and restore points from before, amid and after them."""
    made = make_site(make_database(TABLES))
    environment = made.environment()
    for hours in (-30, -2, 1, 30):
        store_point(environment.catalog, environment.signer(), FIRST + timedelta(hours=hours))
    return made


@pytest.fixture
def find(site: Site, monkeypatch: pytest.MonkeyPatch) -> Find:
    for name, value in site.variables.items():
        monkeypatch.setenv(name, value)

    def execute(**answers: Any) -> dict[str, Any]:
        form = {"table": '"AttendanceRecord"', "time_column": '"createdAt"', "condition": "status IS NULL"}
        operator = FirstInstantOperator(
            task_id="find_instant", policy_file=str(site.policy_file), environment="production"
        )
        run = SimpleNamespace(dag_id="shop-production.find_instant", run_id="manual__1", run_after=FIRST)
        return operator.execute(cast(Context, {"dag_run": run, "params": form | answers}))

    return execute


def test_first_last_number_and_restore_point_from_before(site: Site, find: Find) -> None:
    """The newest restore point whose state is older than the first wrong row."""
    found = find()
    assert (found["rows"], found["is_assumed_utc"]) == (21, False)
    assert datetime.fromisoformat(found["first"]) == FIRST
    assert datetime.fromisoformat(found["last"]) == FIRST + timedelta(hours=20)
    points = [entry.id for entry in site.environment().catalog.entries()]
    assert found["restore_point_before"] == str(points[1])


def test_only_two_times_leave_the_database(find: Find, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither log nor XCom shows a row, or the condition, which may name a person."""
    found = find(condition="status IS NULL AND id <> 987654321")
    assert "987654321" not in str(found)
    out = capsys.readouterr().out
    assert "987654321" not in out and "present" not in out
    assert "21 rows" in out and "restore point from before" in out


def test_nothing_found_is_no_error(find: Find) -> None:
    """It is an answer, too; a column without time zone is read as UTC and says so."""
    none = find(condition="status = 'lost'")
    assert (none["rows"], none["first"], none["restore_point_before"]) == (0, None, None)
    local = find(time_column="local")
    assert local["is_assumed_utc"] and datetime.fromisoformat(local["first"]) == FIRST
    assert any("UTC" in note for note in local["notes"])


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"table": "orders"}, "orders"),
        ({"table": '"AttendanceRecord"; DROP TABLE x'}, "table: "),
        ({"time_column": "status"}, "status"),
        ({"time_column": "now()"}, "time_column: "),
        ({"condition": "pg_sleep(9) IS NULL"}, "pg_sleep"),
        ({"condition": "true); DROP TABLE x; --"}, "condition: "),
        ({"condition": "nonsense"}, "nonsense"),
        ({"condition": None}, "condition: is missing"),
    ],
)
def test_what_cannot_be_asked_is_refused(find: Find, answers: dict[str, Any], said: str) -> None:
    """For good, with the reason; and live is as it was."""
    with pytest.raises(AirflowFailException, match=said):
        find(**answers)
    assert find()["rows"] == 21
