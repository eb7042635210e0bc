"""Airflow as it really runs: its task is killed in the midst of a dump, and the run still ends well."""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from audit_trail import told
from fix_airflow import HASTY_MODULE, Airflow, app_site, await_true, command_line, is_alive, running_airflow
from fix_environment import Site
from fix_postgres import execute, rows
from holdfast.recovery.cluster import Cluster
from holdfast_embedded.airflow.api import segment
from holdfast_embedded.airflow.environment import ADMIN, DATABASE
from holdfast_embedded.process_tree import descendants

pytestmark = pytest.mark.timeout(600)

DAG = "dags/shop-production.nightly"
CANARY = "c4naryNeverShown"
PASSWORD = f"p@:/%#? &é'\"\\{CANARY}=+;"
# A hundred megabytes that do not compress: enough for a dump to be caught at work.
TABLE = """
CREATE TABLE events (id int PRIMARY KEY, body text);
INSERT INTO events
  SELECT n, (SELECT string_agg(md5(random()::text || n || k), '') FROM generate_series(1, 12) k)
    FROM generate_series(1, 300000) n;
"""


@contextmanager
def caught_dump(airflow: Airflow) -> Iterator[tuple[int, int]]:
    """The processes of the next pg_dump and of its task; the server stops answering it in the midst of its work."""
    backends: list[int] = []
    await_true(lambda: backends.extend(copying(airflow)) or backends, 120, "pg_dump is at work", every_s=0.002)
    (backend,) = backends
    os.kill(backend, signal.SIGSTOP)
    try:
        # In small steps: on a busy machine all could be dumped before it is looked at again.
        while not (caught := dumping()):
            os.kill(backend, signal.SIGCONT)
            time.sleep(0.01)
            os.kill(backend, signal.SIGSTOP)
            time.sleep(0.01)
        yield caught[0], parent(caught[0])
    finally:
        with suppress(ProcessLookupError):
            os.kill(backend, signal.SIGCONT)


def copying(airflow: Airflow) -> list[int]:
    """The server's processes that send a table."""
    return [pid for pid in descendants(airflow.cluster.pid) if b" COPY" in command_line(pid)]


def dumping() -> list[int]:
    """The pg_dump processes below us that have written something."""
    found = [pid for pid in descendants(os.getpid()) if command_line(pid).partition(b"\0")[0].endswith(b"/pg_dump")]
    return [pid for pid in found if written_bytes(pid) > 1 << 20]


def written_bytes(pid: int) -> int:
    with suppress(OSError):
        counters = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
        return int(counters["wchar"])
    return 0


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@pytest.fixture(scope="module")
def site(pg18: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """An app with a large table, read by a role whose password needs every kind of escape."""
    execute(pg18.create_database("killed_task"), TABLE)
    quoted = PASSWORD.replace("'", "''")
    execute(pg18.url(), f"CREATE ROLE killed_task SUPERUSER LOGIN PASSWORD '{quoted}'")
    folder = tmp_path_factory.mktemp("site")
    url = pg18.url("killed_task", user="killed_task", password=PASSWORD)
    made = app_site(folder, {"AIRFLOW_CONN_SHOP_DB": url})
    made.policy_file.with_suffix(".py").write_text(HASTY_MODULE)
    yield made
    execute(pg18.url(), "DROP DATABASE killed_task WITH (FORCE)")
    execute(pg18.url(), "DROP ROLE killed_task")


@pytest.fixture(scope="module")
def airflow(pg18: Cluster, site: Site) -> Iterator[Airflow]:
    with running_airflow(pg18, site) as running:
        yield running


def test_killed_dump_converges_to_one_restore_point(airflow: Airflow) -> None:
    """Kill -9 of the task in the midst of its dump: the retry finishes the same restore point, nothing else is left."""
    run = airflow.trigger()
    with caught_dump(airflow) as (dump, task):
        assert airflow.task(run, "dump")["pid"] == task
        assert all(CANARY.encode() not in command_line(pid) for pid in descendants(os.getpid()))
        os.kill(task, signal.SIGKILL)
        await_true(lambda: not is_alive(dump), 10, "pg_dump dies with its task")
    assert airflow.site.ids() == []

    assert airflow.end_of(run) == "success"
    assert airflow.task(run, "dump")["try_number"] == 2
    (id,) = airflow.site.ids()
    assert airflow.api.get(f"{run}/taskInstances/open/xcomEntries/return_value")["value"] == id
    below = f"shop/production/restore-points/{id}/"
    assert [name for name in airflow.site.stored_files() if "/audit/" not in name] == [
        below + name for name in ("database.dump.age", "globals.sql.age", "manifest.json", "manifest.sig")
    ]
    (triggered,) = told(airflow.site.environment())
    assert (triggered.action, triggered.who, triggered.via) == ("triggered", ADMIN, "airflow")
    assert triggered.run == "shop-production.nightly/" + airflow.api.get(run)["dag_run_id"]
    assert airflow.site.json("verify", str(airflow.site.policy_file), "production", id)
    (event,) = airflow.api.get("assets/events")["asset_events"]
    assert (event["name"], event["extra"]["restore_point"]) == ("shop-production.restore-points", id)


def test_task_that_a_person_fails_ends_soon_and_leaves_no_restore_point(airflow: Airflow) -> None:
    """Marked as failed in the UI, the task ends within seconds, and its pg_dump with it."""
    before = airflow.site.ids()
    run = airflow.trigger()
    with caught_dump(airflow) as (dump, task):
        airflow.api.patch(f"{run}/taskInstances/dump", {"new_state": "failed"})
        await_true(lambda: not is_alive(task) and not is_alive(dump), 30, "task and pg_dump end")
    await_true(lambda: airflow.api.get(run)["state"] == "failed", 60, "the run fails")
    assert airflow.site.ids() == before


def test_page_of_a_run_is_shown_to_those_who_may_see_it(airflow: Airflow) -> None:
    """With the auth manager that people use, the page shows the restore point; nobody else gets an answer."""
    run = airflow.api.get(f"{DAG}/dagRuns?order_by=run_after")["dag_runs"][0]
    page = f"{airflow.url}/holdfast/runs/{segment(run['dag_id'])}/{segment(run['dag_run_id'])}"
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(page)
    login = json.dumps({"username": ADMIN, "password": airflow.password}).encode()
    asked = urllib.request.Request(f"{airflow.url}/auth/token", login, {"Content-Type": "application/json"})
    with urllib.request.urlopen(asked) as answer:
        token = json.load(answer)["access_token"]
    with urllib.request.urlopen(urllib.request.Request(page, headers={"Authorization": f"Bearer {token}"})) as answer:
        text = answer.read().decode()
    assert airflow.site.ids()[0] in text
    assert "300,000" in text
    assert "The restore point is committed" in text


def test_password_is_in_no_log_and_no_table(airflow: Airflow) -> None:
    """All that Airflow wrote for the runs above, on disk and in its database."""
    logs = [path for path in airflow.logs.rglob("*") if path.is_file()]
    assert any("task_id=dump" in str(path) for path in logs)
    assert [path for path in logs if CANARY in path.read_text(errors="replace")] == []
    url = airflow.cluster.url(DATABASE)
    tables = [
        f"{schema}.{name}"
        for schema, name in rows(url, "SELECT schemaname, tablename FROM pg_tables WHERE schemaname = 'public'")
    ]
    assert len(tables) > 40
    query = "SELECT count(*) FROM {} t WHERE t::text LIKE '%{}%'"
    assert [table for table in tables if rows(url, query.format(table, CANARY)) != [(0,)]] == []
