"""Restores of a live application in Airflow as it really runs: approved, rejected, bypassed, too late, taken back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from fix_airflow import Airflow, await_true, running_airflow
from fix_environment import Site
from fix_postgres import execute
from holdfast.evidence import read_evidence
from holdfast.recovery.cluster import Cluster
from holdfast.values.ids import RestorePointId
from restores_in_airflow import ROWS, TABLES, Run, clear_from, kill_once_begun, live_site, one, rehearse

pytestmark = pytest.mark.timeout(900)
NAME = "restored_live"
USERS = 'SELECT count(*) FROM "User"'
LIVE = "SELECT oid FROM pg_database WHERE datname = current_database()"


@pytest.fixture(scope="module")
def url(pg18: Cluster) -> Iterator[str]:
    """The live database, which other databases take the place of."""
    made = pg18.create_database(NAME)
    execute(made, TABLES)
    yield made
    for name in databases(pg18):
        execute(pg18.url(), f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="module")
def airflow(pg18: Cluster, url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Airflow]:
    with running_airflow(pg18, live_site(tmp_path_factory.mktemp("site"), url)) as running:
        yield running


@pytest.fixture(scope="module")
def point(airflow: Airflow) -> str:
    """The restore point from before any damage."""
    return airflow.site.ids()[0]


def one_column(cluster: Cluster, query: str) -> list[str]:
    found = one(cluster.url(), f"SELECT coalesce(array_agg(x), '{{}}') FROM ({query}) AS found (x)")
    return [str(each) for each in found]


def databases(cluster: Cluster) -> list[str]:
    return one_column(cluster, f"SELECT datname FROM pg_database WHERE datname LIKE '{NAME}%' ORDER BY datname")


def kept(cluster: Cluster) -> list[str]:
    return one_column(cluster, f"SELECT datname FROM pg_database WHERE datname LIKE '{NAME}_before_%'")


def uploads(site: Site) -> dict[str, str]:
    return {path.name: path.read_text() for path in (site.folder / "uploads").iterdir()}


def test_restore_is_approved_switched_and_taken_back(airflow: Airflow, pg18: Cluster, url: str, point: str) -> None:
    """Until somebody else agrees, what is live is as it was; afterwards it is as it was then, and goes back again."""
    await_true(lambda: offered(airflow) == [point], 120, "the form offers the restore point")
    execute(url, 'DELETE FROM "User" WHERE id > 10')
    (airflow.site.folder / "uploads/a.txt").write_text("damaged")
    run = Run.begin(airflow, "restore", restore_point=point, what="both")
    shown = run.await_asked()
    assert point in shown and "Rehearsal" in shown and "Fresh snapshot" in shown
    assert (one(url, USERS), uploads(airflow.site)["a.txt"], kept(pg18)) == (10, "damaged", [])
    run.answer()
    assert run.end() == "success", run.told()
    assert set(run.states().values()) == {"success"}
    assert (one(url, USERS), uploads(airflow.site)["a.txt"]) == (ROWS, "upload a.txt")
    assert len(kept(pg18)) == 1
    evidence = read_evidence(airflow.site.environment(), run.operation())
    assert (evidence.verdict, evidence.requested_by, evidence.reason) == ("passed", "dba", "the incident")
    assert [given.approver for given in evidence.approvals] == ["teamlead"]
    said = {"operation": str(run.operation()), "restore_point": point, "kind": "restore"}
    assert [event["extra"] for event in restored(airflow)] == [said, said]
    taken_back(airflow, pg18, url)


def taken_back(airflow: Airflow, pg18: Cluster, url: str) -> None:
    back = Run.begin(airflow, "switch_back", what="both")
    back.await_asked()
    back.answer()
    assert back.end() == "success", back.told()
    assert (one(url, USERS), uploads(airflow.site)["a.txt"]) == (10, "damaged")
    execute(url, f'INSERT INTO "User" SELECT n FROM generate_series(11, {ROWS}) n')


def offered(airflow: Airflow) -> list[str]:
    details = airflow.api.get("dags/shop-production.restore/details") or {"params": {}}
    return list(details["params"].get("restore_point", {}).get("schema", {}).get("examples", []))


def restored(airflow: Airflow) -> list[dict[str, object]]:
    assets = airflow.api.items("assets?name_pattern=shop-production.restored", "assets")
    return list(airflow.api.items(f"assets/events?asset_id={assets[0]['id']}", "asset_events"))


def test_what_does_not_pass_leaves_live_untouched(airflow: Airflow, pg18: Cluster, url: str, point: str) -> None:
    """A rejection, a gate that an Admin marks as success, a window that closes while people are asked."""
    rehearse(airflow, "beside")
    before, stood = one(url, LIVE), databases(pg18)
    rejected, marked = (Run.begin(airflow, "restore", restore_point=point) for _ in range(2))
    ends = (datetime.now(UTC) + timedelta(seconds=75)).isoformat()
    begins = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    late = Run.begin(airflow, "restore", restore_point=point, window_begins=begins, window_ends=ends)
    rejected.await_asked()
    rejected.answer("Reject", reason="ask the head of studies first")
    marked.await_asked()
    airflow.api.patch(f"{marked.path}/taskInstances/approve", {"new_state": "success"})
    for run in (rejected, marked, late):
        assert run.end() == "failed"
        evidence = read_evidence(airflow.site.environment(), run.operation())
        assert (evidence.verdict, evidence.approvals) == ("failed", ())
        assert "switch" in evidence.steps_not_run
    assert "ask the head of studies first" in rejected.error("approve")
    assert "nobody has answered what was asked" in marked.error("restore_beside")
    assert re.search("change window ended|time to answer is over", late.error("approve"))
    assert (one(url, LIVE), one(url, USERS)) == (before, ROWS)
    assert databases(pg18) == stood


def test_worker_killed_in_the_switch_is_finished_by_another(
    airflow: Airflow, pg18: Cluster, url: str, point: str
) -> None:
    """The live database is there all the time; the evidence waits until somebody clears the task, which finds out."""
    before = kept(pg18)
    run = Run.begin(airflow, "restore", restore_point=point)
    run.await_asked()
    with psycopg.connect(pg18.url()) as holder:
        holder.execute(f"COMMENT ON DATABASE {NAME} IS 'held by a test'")  # nobody can rename it meanwhile
        run.answer()
        kill_once_begun(run, "switch")
        holder.rollback()
    assert run.end() == "failed"
    assert "switch was cut off" in run.error("evidence")
    assert one(url, USERS) == ROWS
    clear_from(run, "switch")
    await_true(lambda: airflow.api.get(run.path)["state"] == "running", 30, "the run goes on")
    assert run.end() == "success", run.told()
    assert len(kept(pg18)) == len(before) + 1
    evidence = read_evidence(airflow.site.environment(), run.operation())
    assert (evidence.verdict, evidence.steps_not_run) == ("passed", ())


def test_rehearsal_and_needless_rollback_ask_nobody(airflow: Airflow, url: str, point: str) -> None:
    """Both end green with what they have shown; all that would change anything is skipped."""
    rehearse(airflow, "recovery")
    environment = airflow.site.environment()
    airflow.site.json("backup", str(airflow.site.policy_file), "production", "snapshot", "--label", "pre-deploy-1")
    rehearsed = Run.begin(airflow, "restore", restore_point=point, target="rehearsal")
    rolled_back = Run.begin(airflow, "rollback")
    for run in (rehearsed, rolled_back):
        assert run.end() == "success", run.told()
        found = run.states()
        assert {found[task] for task in ("snapshot.manifest", "approve", "switch", "check_live")} == {"skipped"}
        assert read_evidence(environment, run.operation()).verdict == "passed"
    assert rehearsed.states()["rehearsal.evidence"] == "success"
    assert rolled_back.states()["rehearsal.evidence"] == "skipped"
    assert one(url, USERS) == ROWS


def test_failed_migration_is_taken_back(airflow: Airflow, pg18: Cluster, url: str) -> None:
    """The snapshot comes back with approval, the policy's follow-up runs, and the run is red all the same."""
    (airflow.site.folder / "application/broken").touch()
    run = Run.begin(airflow, "guarded_migration", label="add-phone")
    run.await_asked()
    assert one(url, "SELECT count(*) FROM information_schema.columns WHERE column_name = 'phone'") == 1
    run.answer()
    assert run.end() == "failed"
    found = run.states()
    assert (found["migrate"], found["evidence"], found["evidence_return"]) == ("failed", "failed", "success"), (
        run.told()
    )
    assert one(url, "SELECT count(*) FROM information_schema.columns WHERE column_name = 'phone'") == 0
    assert (airflow.site.folder / "application/resolved").exists()
    environment = airflow.site.environment()
    failed, back = (read_evidence(environment, run.operation(task)) for task in ("open", "open_return"))
    assert "P3009" in str(failed.findings) + str(failed.steps)
    assert (back.verdict, back.restore_point) == ("passed", failed.restore_point)
    point = RestorePointId.parse(failed.restore_point)
    assert environment.catalog.manifest(point, environment.verifier()).label == "pre-migration-add-phone"
    (airflow.site.folder / "application/broken").unlink()
    again = Run.begin(airflow, "guarded_migration", label="add-phone")
    assert again.end() == "success", again.told()
    found = again.states()
    assert {found[task] for task in ("open_return", "approve", "switch", "evidence_return")} == {"skipped"}
    assert one(url, "SELECT count(*) FROM information_schema.columns WHERE column_name = 'phone'") == 1
