"""When rows began to be wrong is asked of the live database, which nothing that is typed can change or hurt."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from fix_environment import MakeSite, Site
from fix_postgres import execute, rows
from holdfast.backup import run_backup
from holdfast.errors import DatabaseError, HoldfastError, UsageError
from holdfast.operation.instant import Instants, find_restore_point_before, first_instant
from holdfast.values.ids import RestorePointId

_TABLE = '"AttendanceRecord"'


@pytest.fixture
def live(make_database: Callable[..., str]) -> str:
    """Attendance, in part corrupted; its times are written as Prisma does, without a zone."""
    return make_database(
        'CREATE TABLE "AttendanceRecord" (id int, status text, "createdAt" timestamp(3), day date, at timestamptz);'
        "INSERT INTO \"AttendanceRecord\" SELECT i, CASE WHEN i < 5 THEN 'PRESENT' END,"
        " timestamp '2026-01-01' + i * interval '1 hour', date '2026-01-01' + i,"
        " timestamptz '2026-01-01 00:00+05' + i * interval '1 hour' FROM generate_series(1, 9) i;"
        "INSERT INTO \"AttendanceRecord\" VALUES (10, NULL, 'infinity', 'infinity', NULL);"
        "CREATE SCHEMA other; CREATE TABLE other.twin (at date); CREATE TABLE twin (at date)"
    )


@pytest.fixture
def site(live: str, make_site: MakeSite) -> Site:
    """A college."""
    return make_site(live)


def _hour(hour: int) -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hour)


def test_the_first_and_last_instant_of_the_rows_are_found(site: Site) -> None:
    """Infinite times count as rows but tell no instant; a column without zone is read as UTC."""
    environment = site.environment()
    found = first_instant(environment, table=_TABLE, time_column="createdAt", predicate="status IS NULL")
    assert found == Instants(_hour(5), _hour(9), 6, is_assumed_utc=True)
    # As somebody types it who does not know of quotes.
    assert first_instant(environment, table="attendancerecord", time_column="createdat", predicate="id=5").rows == 1
    zoned = first_instant(environment, table=f"public.{_TABLE}", time_column='"at"', predicate="status LIKE '%' || 'T'")
    assert zoned == Instants(_hour(-4), _hour(-1), 4, is_assumed_utc=False)
    days = first_instant(environment, table=_TABLE, time_column="day", predicate="id = 1")
    assert days.first == datetime(2026, 1, 2, tzinfo=UTC)
    assert first_instant(environment, table=_TABLE, time_column="at", predicate="false") == Instants(None, None, 0)


@pytest.mark.parametrize(
    ("predicate", "said"),
    [
        ("id = 1); DROP TABLE twin; --", "closes nothing"),
        ("true UNION SELECT now()", "syntax error"),
        ("(SELECT true FROM twin FOR UPDATE) IS NULL", "FOR UPDATE"),
        ("(WITH x AS (DELETE FROM twin RETURNING 1) SELECT true FROM x)", "data-modifying"),
        ("pg_terminate_backend(1)", "calls pg_terminate_backend"),
        ('"pg_sleep" (100) IS NULL', "calls pg_sleep"),
        ("pg_catalog.set_config('transaction_read_only', 'off', true) = ''", "calls set_config"),
        ("EXISTS (SELECT FROM pg_ls_dir('/'))", "calls pg_ls_dir"),
        ("nextval('x') > 0", "calls nextval"),
        ("status = random()::text", "calls random"),
        ("id", "must be type boolean"),
        ("(id, id)", "must be type boolean"),
        ("nothing = 1", 'column "nothing" does not exist'),
        ("status::int = 1", "invalid input syntax"),
    ],
)
def test_what_is_typed_can_only_be_a_condition(site: Site, live: str, predicate: str, said: str) -> None:
    """It neither acts nor writes, and what PostgreSQL says of it quotes no row."""
    with pytest.raises(HoldfastError, match="condition: ") as refusal:
        first_instant(site.environment(), table=_TABLE, time_column="at", predicate=predicate)
    assert said in refusal.value.message
    assert "PRESENT" not in refusal.value.message
    assert rows(live, "SELECT count(*) FROM twin") == [(0,)]


def test_table_and_column_are_looked_up_in_the_catalog(site: Site) -> None:
    """What is not there is refused before anything is asked, and the refusal says what there is."""
    environment = site.environment()
    for table, said in {
        "nothing": "not in the live database",
        'twin"; DROP TABLE twin': "not a table name",
        "twin": "several fit: other.twin, public.twin",
        "pg_catalog.pg_class": "not in the live database",
    }.items():
        with pytest.raises(UsageError, match="table ") as refusal:
            first_instant(environment, table=table, time_column="at", predicate="true")
        assert said in refusal.value.message
    with pytest.raises(UsageError, match=r"column 'x'") as unknown:
        first_instant(environment, table=_TABLE, time_column="x", predicate="true")
    assert unknown.value.hint == "It has: id, status, createdAt, day, at."
    with pytest.raises(UsageError, match="holds no date or timestamp") as wrong:
        first_instant(environment, table=_TABLE, time_column="status", predicate="true")
    assert wrong.value.hint == "Such are: createdAt, day, at."


def test_rows_that_the_role_does_not_see_are_not_passed_over(site: Site, live: str) -> None:
    """Under row security the earliest row may be one that is hidden: that is an error, not an answer."""
    name = live.rpartition("/")[2]
    execute(live, f"CREATE ROLE instants_{name} LOGIN PASSWORD 'x'; GRANT SELECT ON twin TO instants_{name};")
    try:
        execute(live, "ALTER TABLE twin ENABLE ROW LEVEL SECURITY")
        login, _, place = live.partition("@")
        site.variables["AIRFLOW_CONN_SHOP_DB"] = f"{login.partition('//')[0]}//instants_{name}:x@{place}"
        with pytest.raises(DatabaseError, match="row-level security"):
            first_instant(site.environment(), table="public.twin", time_column="at", predicate="true")
    finally:
        execute(live, f"DROP OWNED BY instants_{name}; DROP ROLE instants_{name}")


def test_the_newest_restore_point_from_before_is_found(site: Site) -> None:
    """By the time that its snapshot shows; one whose dump is gone is passed over."""
    environment = site.environment()
    first, second = (
        RestorePointId.parse(run_backup(environment, "nightly", origin=origin).restore_point) for origin in ("1", "2")
    )
    shown = environment.catalog.manifest(max(first, second), None).database.source.snapshot_at
    newest = max(first, second)
    assert find_restore_point_before(environment, shown + timedelta(microseconds=1)) == newest
    assert find_restore_point_before(environment, shown) != newest
    assert find_restore_point_before(environment, datetime(2020, 1, 1, tzinfo=UTC)) is None
    environment.store.delete(environment.keys.artifact(newest, "database.dump.age"))
    assert find_restore_point_before(environment, shown + timedelta(days=1)) == min(first, second)
    with pytest.raises(UsageError, match="no UTC offset"):
        find_restore_point_before(environment, datetime(2026, 1, 1))
