"""A rollback restores the database only where the schema has changed since the deployment's snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fix_environment import MakeSite, Site
from fix_postgres import execute
from holdfast.backup import run_backup
from holdfast.errors import DatabaseUnavailable, IntegrityError, UsageError
from holdfast.operation.rollback import find_label, plan_rollback
from holdfast.recovery.cluster import Cluster
from holdfast.values.ids import RestorePointId

_START = datetime(2026, 11, 20, 8, tzinfo=UTC)


@pytest.fixture
def recovery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A root of its own, which must be empty again."""
    root = tmp_path / "recovery"
    monkeypatch.setenv("HOLDFAST_RECOVERY", str(root))
    yield root
    assert not root.exists() or not list(root.iterdir())


@pytest.fixture
def live(make_database: Callable[..., str]) -> str:
    """The live database's URL."""
    return make_database(
        'CREATE TABLE "User" (id int PRIMARY KEY); INSERT INTO "User" VALUES (1);'
        "CREATE TABLE _prisma_migrations (name text); INSERT INTO _prisma_migrations VALUES ('1_init')"
    )


@pytest.fixture
def site(live: str, make_site: MakeSite, recovery: Path) -> Site:
    """A shop."""
    return make_site(live)


def _snapshot(site: Site, label: str | None, day: int, tier: str = "snapshot") -> RestorePointId:
    taken = run_backup(
        site.environment(), tier, label=label, opened_at=_START + timedelta(days=day), origin=f"{label} {day}"
    )
    return RestorePointId.parse(taken.restore_point)


def test_an_unchanged_schema_needs_no_restore(site: Site, live: str) -> None:
    """The plan says so; what was written since is told beside it, and does not change what is approved."""
    point = _snapshot(site, "pre-deploy-1.2", 0)
    before = plan_rollback(site.environment(), point)
    execute(live, 'INSERT INTO "User" VALUES (2), (3)')
    plan = plan_rollback(site.environment(), point)
    assert plan.facts["schema_changed"] is False
    assert "The schema is unchanged: no database restore is needed" in plan.body
    assert "`pre-deploy-1.2`" in plan.body
    assert "`public.User`: 1 rows then, 3 now" in plan.notes
    assert (plan.sha256, plan.faults) == (before.sha256, ())


def test_a_changed_schema_is_listed_and_asks_for_the_switch(site: Site, live: str) -> None:
    """Migrations that have run since stand first among what was written."""
    point = _snapshot(site, "pre-deploy-1.2", 0)
    execute(
        live,
        'ALTER TABLE "User" ADD COLUMN "a|b*" text; DELETE FROM "User"; CREATE TABLE "Zoo" ();'
        "INSERT INTO _prisma_migrations VALUES ('2_more')",
    )
    plan = plan_rollback(site.environment(), point)
    assert (plan.facts["schema_changed"], plan.facts["added"], plan.facts["changed"]) == (True, 1, 1)
    assert 'added: table public."Zoo"' in plan.body
    assert 'column "a\\|b\\*" added' in plan.body
    assert "must be restored to that point by the switch" in plan.body
    told = plan.notes.splitlines()[2:]
    assert told[0] == "- `public._prisma_migrations`: 1 rows then, 2 now: **migrations have run since**"
    assert "- `public.Zoo` is new" in told
    assert plan.sha256 == plan_rollback(site.environment(), point).sha256


def test_a_schema_that_cannot_be_compared_counts_as_changed(site: Site, live: str) -> None:
    """Nobody is told that the database may stay where that is not known."""
    point = _snapshot(site, "pre-deploy-1.2", 0)
    execute(
        live,
        "CREATE FUNCTION later() RETURNS int LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler';"
        "UPDATE pg_proc SET probin = '/nowhere/lacking' WHERE proname = 'later'",
    )
    plan = plan_rollback(site.environment(), point)
    assert (plan.facts["schema_changed"], plan.facts["schema_compared"]) == (True, False)
    assert "it is taken as changed" in plan.body
    assert "lacking" in plan.notes
    assert "lacking" not in plan.body


def test_another_database_under_the_connection_is_refused(
    site: Site, live: str, make_database: Callable[..., str], pg18: Cluster
) -> None:
    """The plan has a fault, with which nothing can be done; a server that is away is an error."""
    point = _snapshot(site, "pre-deploy-1.2", 0)
    site.variables["AIRFLOW_CONN_SHOP_DB"] = make_database()
    plan = plan_rollback(site.environment(), point)
    assert "restore point" in plan.faults[0]
    with pytest.raises(UsageError, match="cannot be done"):
        plan.demand_possible()
    site.variables["AIRFLOW_CONN_SHOP_DB"] = "postgresql://nobody@127.0.0.1:1/none"
    with pytest.raises(DatabaseUnavailable):
        plan_rollback(site.environment(), point)


def test_the_newest_label_of_a_deployment_is_found(site: Site) -> None:
    """Or just the one that is named; others are none of it."""
    first, second = _snapshot(site, "pre-deploy-1", 0), _snapshot(site, "pre-deploy-2", 1)
    _snapshot(site, "pre-migration-9", 2)
    environment = site.environment()
    assert find_label(environment) == second
    assert find_label(environment, "pre-deploy-1") == first
    with pytest.raises(UsageError, match="no restore point is labelled pre-deploy-3") as refusal:
        find_label(environment, "pre-deploy-3")
    assert refusal.value.hint == "Labelled are: pre-deploy-1, pre-deploy-2."
    with pytest.raises(UsageError, match="does not begin with pre-deploy-"):
        find_label(environment, "pre-migration-9")
    environment.store.delete(environment.keys.artifact(second, "database.dump.age"))
    with pytest.raises(IntegrityError, match=r"database\.dump\.age is missing"):
        find_label(environment)
