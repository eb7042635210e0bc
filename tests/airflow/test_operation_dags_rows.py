"""The DAGs that restore tables, recover rows, undo that and find an instant: their tasks, and real runs of them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from airflow.models.dagrun import DagRun
from airflow.sdk import DAG

from audit_trail import told
from dag_runs import DUE, returned, run_once, states
from fix_environment import MakeSite, Site
from fix_postgres import execute, rows
from gates_in_process import ask, run_answered
from holdfast.evidence import read_evidence
from holdfast.values.ids import RestorePointId
from holdfast_dags import protect

if TYPE_CHECKING:
    from conftest import Adopt

GATED = ("restore_tables", "recover_rows", "undo_rows")
OURS = (*GATED, "find_instant")
SPINE = ["open", "plan", "needed", "approve", "await_window", "apply", "evidence"]
TABLES = """
CREATE TABLE "User" (id int PRIMARY KEY, email text NOT NULL UNIQUE, boss int REFERENCES "User");
CREATE TABLE "AttendanceRecord" (id int PRIMARY KEY, "user" int NOT NULL REFERENCES "User", status text,
  "createdAt" timestamptz NOT NULL);
INSERT INTO "User" SELECT n, 'user' || n || '@example.org', NULLIF(n - 1, 0) FROM generate_series(1, 20) n;
INSERT INTO "AttendanceRecord" SELECT n, 1 + n % 20, 'present', timestamptz '2026-11-20 00:00Z' + n * interval '1 hour'
  FROM generate_series(1, 200) n;
"""
Build = Callable[..., dict[str, DAG]]
_days = itertools.count(1)


@pytest.fixture
def build(write_app: Callable[..., Path], environment: Callable[..., dict[str, object]]) -> Build:
    """The DAGs of an environment by tier, some fields of its policy replaced."""

    def make(**fields: object) -> dict[str, DAG]:
        module = write_app("demo", production=environment(**fields))
        dags = protect(str(module))
        for dag in dags.values():
            dag.validate()
        return {id.rpartition(".")[2]: dag for id, dag in dags.items()}

    return make


def test_each_plans_asks_applies_and_records(build: Build) -> None:
    """In this order; where two people must agree there are two gates."""
    dags, strict = build(), build(approval={"needed": 2})
    for tier in GATED:
        assert [task.task_id for task in dags[tier].topological_sort()] == SPINE
        assert strict[tier].get_task("approve_second").upstream_task_ids == {"approve"}
    assert [task.task_id for task in dags["find_instant"].tasks] == ["find_instant"]


@pytest.mark.parametrize("tier", GATED)
def test_apply_is_tried_once_and_tells_that_live_has_changed(build: Build, tier: str) -> None:
    """Past it a person has to look first; what is recorded is recorded whatever came of it."""
    dag = build()[tier]
    apply = dag.get_task("apply")
    assert apply.retries == 0
    assert [outlet.uri for outlet in apply.outlets] == ["x-holdfast://demo/production/restored"]
    assert dag.get_task("evidence").trigger_rule == "all_done"
    assert {dag.get_task(name).queue for name in ("plan", "apply")} == {"operations"}


@pytest.mark.parametrize("tier", OURS)
def test_by_hand_with_a_form_alone(build: Build, tier: str) -> None:
    """No schedule, not paused, and nothing of the form is rendered anywhere."""
    dag = build()[tier]
    assert dag.schedule is None
    assert dag.is_paused_upon_creation is False
    assert dag.max_active_runs == 3
    assert {name for task in dag.tasks for name in task.template_fields} <= {"operation", "subject_id"}
    assert set(dag.params) & {"reason", "condition"}


@pytest.mark.parametrize("tier", OURS)
def test_runbook_has_a_section_for_each_task(build: Build, tier: str) -> None:
    """Filled with what the policy says."""
    dag = build(approval={"needed": 2, "within": "8h", "approvers": ["dora"]})[tier]
    assert dag.doc_md is not None and "$" not in dag.doc_md
    for task in dag.tasks:
        assert f"### `{task.task_id}`" in dag.doc_md
        assert task.doc_md is not None and len(task.doc_md) > 60
    if tier in GATED:
        assert "`dora`" in dag.doc_md and "8h" in dag.doc_md


def test_nothing_is_restored_where_nothing_is_backed_up(build: Build) -> None:
    """An environment without tiers that take restore points has none of these DAGs."""
    media_only = build(tiers={"media": {}}, media={"source": "file:///srv/shop/storage"})
    assert not set(OURS) & set(media_only)


@pytest.fixture
def site(make_site: MakeSite, make_database: Callable[..., str], recovery_folder: Path) -> Site:
    """A school with one restore point."""
    made = make_site(make_database(TABLES))
    made.variables["HOLDFAST_RECOVERY"] = str(recovery_folder)
    made.backup()
    return made


def url_of(site: Site) -> str:
    return site.variables["AIRFLOW_CONN_SHOP_DB"]


def content(site: Site, table: str) -> list[tuple[object, ...]]:
    return rows(url_of(site), f'SELECT * FROM "{table}" ORDER BY id')


def test_rows_are_found_recovered_and_taken_back(
    site: Site, adopt: Adopt, recovery_folder: Path, dags_folder: Path
) -> None:
    """Scenario A: a user is deleted for real, comes back with what he refers to, and the recovery can be undone."""
    before = content(site, "User")
    execute(url_of(site), 'DELETE FROM "AttendanceRecord"; DELETE FROM "User" WHERE id IN (19, 20)')
    lacking = content(site, "User")
    form = {"restore_point": site.ids()[-1], "table": '"User"', "keys": "id=20", "reason": "deleted by mistake"}
    run, seen = run_answered(adopt(site, "recover_rows"), DUE - timedelta(days=next(_days)), **form)
    assert set(states(run).values()) == {"success"}, states(run)
    assert content(site, "User") == before
    assert "id=20" in seen["approve"] and "deleted by mistake" in seen["approve"]
    operation = RestorePointId.parse(returned(run, "open"))
    evidence = read_evidence(site.environment(), operation)
    assert (evidence.verdict, [given.approver for given in evidence.approvals]) == ("passed", ["emil"])
    assert returned(run, "apply")["figures"]["rows inserted"] == 2
    acts = [each for each in told(site.environment()) if each.run == f"{run.dag_id}/{run.run_id}"]
    assert [each.action for each in acts] == ["triggered", "approved", "changed"]
    assert (acts[1].who, acts[1].subject, acts[1].details["gate"]) == ("emil", str(operation), "approve")
    assert (acts[2].subject, acts[2].details["step"]) == (str(operation), "apply")
    assert "id=20" not in "".join(each.model_dump_json() for each in acts)
    assert list(recovery_folder.iterdir()) == []
    see_pages(run, site, dags_folder)

    undo = {"operation": str(operation), "reason": "it was no mistake"}
    back, _ = run_answered(adopt(site, "undo_rows"), DUE - timedelta(days=next(_days)), **undo)
    assert set(states(back).values()) == {"success"}, states(back)
    assert content(site, "User") == lacking


def see_pages(run: DagRun, site: Site, dags_folder: Path) -> None:
    """The run's page, its evidence and its plan, as a reader and as nobody who may read sees them."""
    # Where Airflow has the DAG from, its policy lies beside the file.
    (dags_folder / "shop.yaml").write_text(site.policy_file.read_text())
    page = f"/holdfast/runs/{run.dag_id}/{quote(run.run_id, safe='')}"
    for path, said in (("", "Done and recorded; approved by emil"), ("/evidence", "emil"), ("/plan", "id=20")):
        shown = ask("GET", page + path, by="reader", role="viewer")
        assert (shown.status_code, said in shown.text) == (200, True), shown.text
        assert ask("GET", page + path, by="stranger", role=None).status_code == 403
    assert ask("GET", f"{page}/evidence/nightly", by="reader", role="viewer").status_code == 404
    assert ask("GET", f"{page}/evidence/restore", by="reader", role="viewer").status_code == 503  # it made none
    (dags_folder / "shop.yaml").unlink()


def test_tables_that_are_as_they_were_need_no_approval(site: Site, adopt: Adopt) -> None:
    """The run ends green by itself, and its evidence says that nothing had to be done."""
    form = {"restore_point": site.ids()[-1], "tables": '"User"', "reason": "to be sure"}
    run = run_once(adopt(site, "restore_tables"), DUE - timedelta(days=next(_days)), **form)
    found = states(run)
    assert {name for name, state in found.items() if state == "skipped"} == {"approve", "await_window", "apply"}
    assert (run.state, found["plan"], found["evidence"]) == ("success", "success", "success")
    evidence = read_evidence(site.environment(), RestorePointId.parse(returned(run, "open")))
    assert (evidence.verdict, [step.name for step in evidence.steps]) == ("passed", ["plan"])


def test_corruption_is_found_and_what_changed_after_the_approval_is_not_overwritten(site: Site, adopt: Adopt) -> None:
    """Scenario B: first its first instant, then its table; a row that came while people read the plan stops it."""
    execute(url_of(site), 'UPDATE "AttendanceRecord" SET status = NULL WHERE id BETWEEN 100 AND 120')
    question = {"table": '"AttendanceRecord"', "time_column": "createdAt", "condition": "status IS NULL"}
    asked = run_once(adopt(site, "find_instant"), DUE - timedelta(days=next(_days)), **question)
    assert returned(asked, "find_instant")["rows"] == 21

    def change() -> None:
        execute(url_of(site), """INSERT INTO "AttendanceRecord" VALUES (999, 1, 'late', now())""")

    form = {"restore_point": site.ids()[-1], "tables": '"AttendanceRecord"', "mode": "replace", "reason": "incident 7"}
    run, seen = run_answered(adopt(site, "restore_tables"), DUE - timedelta(days=next(_days)), before=change, **form)
    found = states(run)
    assert (found["approve"], found["apply"], found["evidence"]) == ("success", "failed", "failed")
    assert "AttendanceRecord" in seen["approve"]
    live = content(site, "AttendanceRecord")
    assert len(live) == 201 and sum(row[2] is None for row in live) == 21
    evidence = read_evidence(site.environment(), RestorePointId.parse(returned(run, "open")))
    assert evidence.verdict == "failed"
    assert any("the plan has changed" in finding.text for finding in evidence.findings)
