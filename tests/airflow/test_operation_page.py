"""The page of an operation's run, of its plan and of a first instant: what each says, and that all of it is text."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fix_environment import MakeSite, Site
from fix_media import NO_DATABASE
from holdfast.operation import Plan, open_operation
from holdfast.operation.plans import write_plan
from holdfast.values.ids import RestorePointId
from holdfast_airflow.ui.evidence import DrillRun, Refusal, read_plan, read_report
from holdfast_airflow.ui.loose import Loose
from holdfast_airflow.ui.run_facts import RunFacts, Step
from holdfast_airflow.ui.run_page import render, render_plan
from point_factory import store_point

POINT = "20261122T020000Z-nightly-4f9c2a"
OPERATION = "20261122T090000Z-restore_tables-4f9c2a"
STARTED = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
DAG = "shop-production.restore_tables"
PLANNED = {
    "step": "plan",
    "operation": OPERATION,
    "restore_point": POINT,
    "figures": {"plan": "ab" * 32, "mode": "replace", "rows only in live": 12},
}
APPLIED = {"step": "apply", "figures": {"rows_written": 1234}, "notes": ["sequence <b>public.s</b> was set"]}
PASSED = {"verdict": "passed", "findings": [], "evidence": f"shop/production/evidence/{OPERATION}/evidence.json"}
FAILED = PASSED | {"verdict": "failed", "findings": ["the plan has changed since it was approved"]}


def step(operator: str, state: str | None = "success", **facts: Any) -> Step:
    return Step(operator, operator, state, 1, 4.0, Loose(facts))


def shown(*steps: Step, state: str = "success", dag_id: str = DAG, **form: Any) -> str:
    return render(RunFacts(dag_id, "manual__1", state, STARTED, STARTED, steps, Loose(form)))


PLAN = step("PlanOperator", **PLANNED)
ASKED = step("OperationApprovalSensor", None)
AGREED = step("OperationApprovalSensor", approver="emil", decision="approved", answered_at="today")
WAITS = step("ApplyOperator", None)
DONE = step("ApplyOperator", **APPLIED)
NOT_YET = step("OperationEvidenceOperator", None)
RECORDED = step("OperationEvidenceOperator", **PASSED)
RED = step("OperationEvidenceOperator", "failed", **FAILED)


@pytest.mark.parametrize(
    ("steps", "state", "sentence"),
    [
        ((step("PlanOperator", "running"), WAITS, NOT_YET), "running", "nothing live is changed before people"),
        ((PLAN, ASKED, WAITS, NOT_YET), "running", "stays so until people have approved"),
        ((PLAN, AGREED, step("ApplyOperator", "running"), NOT_YET), "running", "Approved, and under way"),
        ((PLAN, AGREED, DONE, RECORDED), "success", "Done and recorded; approved by emil"),
        ((PLAN, step("ApplyOperator", "skipped"), RECORDED), "success", "Nothing had to be changed"),
        ((PLAN, AGREED, step("ApplyOperator", "failed"), RED), "failed", "It failed. The findings below"),
        ((PLAN, step("OperationEvidenceOperator", "failed")), "failed", "There is no evidence"),
        ((PLAN, ASKED, step("OperationEvidenceOperator")), "success", "marked a success without it"),
    ],
)
def test_sentence_at_each_moment(steps: tuple[Step, ...], state: str, sentence: str) -> None:
    """What is live counts as unchanged until a task that changes it has begun."""
    assert sentence in shown(*steps, state=state)


def test_plan_figures_answers_and_evidence_are_shown() -> None:
    """With links that stay below the run, and nothing of what people wrote taken for markup."""
    page = shown(PLAN, AGREED, DONE, RECORDED, reason="<i>incident</i>", ticket="CHG-7")
    for text in ("Restore tables", OPERATION, POINT, "1,234", "Rows written", PASSED["evidence"], "CHG-7"):
        assert str(text) in page
    assert 'href="manual__1/plan"' in page
    assert 'href="manual__1/evidence"' in page
    assert "<strong>emil</strong> approved it" in page
    assert "<i>" not in page and "<b>" not in page
    assert "ab" * 32 in page
    assert FAILED["findings"][0] in shown(PLAN, RED, state="failed")


def test_figures_of_the_plan_are_shown_before_it_is_carried_out() -> None:
    """As far as they are numbers."""
    page = shown(PLAN, ASKED, WAITS, NOT_YET, state="running")
    assert "Rows only in live" in page
    assert 'href="manual__1/evidence"' not in page


def test_rehearsal_of_a_restore_has_a_link_of_its_own() -> None:
    """The same run has two pieces of evidence."""
    page = shown(
        PLAN, step("EvidenceOperator", verdict="passed"), RECORDED, dag_id="shop-production.restore", state="running"
    )
    assert 'href="manual__1/evidence/restore_check"' in page


def test_fresh_snapshot_is_named() -> None:
    """It is what the live database was before."""
    fresh = step("ManifestOperator", restore_point="20261122T090000Z-snapshot-4f9c2a", bytes=2048)
    page = shown(PLAN, fresh, ASKED, NOT_YET, dag_id="shop-production.restore", state="running")
    assert "20261122T090000Z-snapshot-4f9c2a" in page and "2.00 KiB stored" in page
    assert "There is no restore point" not in page


def test_way_back_after_a_migration_has_a_link_of_its_own() -> None:
    """The migration failed, and that stays said; the snapshot was restored."""
    back = Step("evidence_return", "OperationEvidenceOperator", "success", 1, 4.0, Loose(PASSED))
    page = shown(PLAN, step("MigrateOperator", "failed"), RED, back, dag_id="shop-production.guarded_migration")
    assert "It failed." in page
    assert 'href="manual__1/evidence/restore"' in page


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({"rows": 7, "first": "2026-11-20T03:00:00+00:00", "restore_point_before": POINT}, "there is a restore point"),
        ({"rows": 7, "first": "2026-11-20T03:00:00+00:00", "restore_point_before": None}, "no restore point shows"),
        ({"rows": 0, "first": None}, "No such rows"),
    ],
)
def test_first_instant_is_shown(facts: dict[str, Any], sentence: str) -> None:
    """The times, the number of rows, and where to go back to."""
    page = shown(step("FirstInstantOperator", notes=["by <createdAt>"], **facts), dag_id="shop-production.find_instant")
    assert sentence in page
    assert "by &lt;createdAt&gt;" in page
    for value in facts.values():
        assert str(value) in page or value is None


@pytest.mark.parametrize("facts", [{"figures": 7, "notes": "x"}, {"figures": {"x": {"y": 1}}, "findings": 7}])
def test_facts_of_any_form_do_not_break_the_page(facts: dict[str, Any]) -> None:
    """XCom can be written through the API by those who may."""
    steps = [step(name, **facts) for name in ("PlanOperator", "ApplyOperator", "OperationEvidenceOperator")]
    assert "<h2>Steps</h2>" in shown(*steps)
    assert "<h2>Steps</h2>" in shown(step("FirstInstantOperator", **facts))


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    return make_site(NO_DATABASE)


def planned(site: Site, origin: str) -> DrillRun:
    """An operation of that run, opened and planned."""
    environment = site.environment()
    store_point(environment.catalog, environment.signer(), STARTED)
    operation = open_operation(
        environment,
        kind="restore_tables",
        opened_at=STARTED,
        origin=origin,
        restore_point=None,
        request={"tables": ["orders"], "mode": "replace"},
        reason="incident",
        requested_by="dora",
        window=None,
        approval="asked",
    )
    plan = Plan(
        kind="restore_tables",
        app="shop",
        environment="production",
        restore_point="x",
        body="# Plan\n\n- <b>orders</b>\n",
    )
    write_plan(environment, operation, plan)
    return DrillRun(RestorePointId.parse(str(operation)), DAG, origin, site.policy_file)


def test_plan_is_read_from_the_store_and_shown_as_text(site: Site) -> None:
    """It is signed, unlike what stands in Airflow's tables."""
    run = planned(site, f"{DAG}/manual__1")
    plan = read_plan(run)
    assert isinstance(plan, str)
    assert "- <b>orders</b>" in plan and "dora" in plan
    page = render_plan(str(run.drill), plan)
    assert "&lt;b&gt;orders" in page and "<b>" not in page
    assert isinstance(read_report(run), Refusal)  # there is no evidence yet


def test_plan_of_another_run_is_refused(site: Site) -> None:
    """Whose id differs in a few digits at most, or was never opened."""
    run = planned(site, f"{DAG}/manual__1")
    other = read_plan(DrillRun(run.drill, DAG, f"{DAG}/manual__2", site.policy_file))
    assert isinstance(other, Refusal) and "manual__1" in other.reason
    missing = read_plan(DrillRun(RestorePointId.make(STARTED, "restore_tables", "x"), DAG, "x", site.policy_file))
    assert isinstance(missing, Refusal) and "nobody has opened it" in missing.reason
    nowhere = read_plan(DrillRun(run.drill, DAG, run.origin, Path("/nowhere/shop.yaml")))
    assert isinstance(nowhere, Refusal)
