"""The page of a drill's run: what it says at each moment, and that it takes nothing from XCom for granted."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from fix_environment import MakeSite
from fix_media import NO_DATABASE
from holdfast.values.ids import RestorePointId
from holdfast_airflow.ui.evidence import DrillRun, Refusal, read_report
from holdfast_airflow.ui.loose import Loose
from holdfast_airflow.ui.run_facts import RunFacts, Step
from holdfast_airflow.ui.run_page import render, render_refusal

ID = "20261122T020000Z-nightly-4f9c2a"
STARTED = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
PASSED = {
    "verdict": "passed",
    "restore_point": ID,
    "restore_seconds": 95.4,
    "rto_seconds": 3600,
    "findings": [],
    "evidence": "shop/production/evidence/20261122T090000Z-restore_drill-4f9c2a/evidence.json",
}
FAILED = PASSED | {"verdict": "failed", "findings": ["table public.orders: 41 rows, 42 in the snapshot"]}


def step(operator: str, state: str | None = "success", **facts: Any) -> Step:
    return Step(operator, operator, state, 1, 4.0, Loose(facts))


def shown(*steps: Step, state: str = "success", run_id: str = "manual__1", **form: Any) -> str:
    return render(RunFacts("shop-production.restore_drill", run_id, state, STARTED, STARTED, steps, Loose(form)))


GATE = step("DrillApprovalSensor", None)


@pytest.mark.parametrize(
    ("steps", "state", "sentence"),
    [
        ((step("EvidenceOperator", None), GATE), "running", "Under way"),
        ((step("EvidenceOperator", **PASSED), GATE), "running", "It waits for approval"),
        ((step("EvidenceOperator", **PASSED), GATE), "failed", "Restored and compared, but the run failed"),
        # Marked by hand: nobody's approval is on record.
        ((step("EvidenceOperator", **PASSED), step("DrillApprovalSensor")), "success", "marked a success"),
        (
            (step("EvidenceOperator", **PASSED), GATE, step("CloseDrillOperator", approved_by=["dora", "emil"])),
            "success",
            "approved by dora, emil",
        ),
        ((step("EvidenceOperator", **PASSED),), "success", "everything is as its manifest says"),
        ((step("EvidenceOperator", "failed", **FAILED),), "failed", "The restore failed"),
        ((step("EvidenceOperator", "upstream_failed"),), "failed", "There is no evidence"),
        ((step("EvidenceOperator"),), "success", "There is no evidence: the run was marked a success"),
    ],
)
def test_sentence_at_each_moment(steps: tuple[Step, ...], state: str, sentence: str) -> None:
    """Only recorded evidence proves anything, and only signed approvals close a drill."""
    assert sentence in shown(*steps, state=state)


def test_figures_findings_and_evidence_are_shown() -> None:
    """Restore time beside the objective, what was found, where the evidence lies, and the way to the report."""
    page = shown(
        step("EvidenceOperator", "failed", **FAILED), state="failed", run_id="manual__2026-11-22T02:00:00+00:00"
    )
    for text in ("1 min 35 s", "objective 1 h 00 min", FAILED["findings"][0], str(PASSED["evidence"]), ID):
        assert str(text) in page
    assert 'href="manual__2026-11-22T02%3A00%3A00%2B00%3A00/evidence"' in page
    assert "target=" not in page  # the page stands in a frame that may open no windows


def test_answers_of_people_are_shown_as_text() -> None:
    """Whatever they wrote."""
    answer = {"approver": "dora", "decision": "rejected", "reason": "<script>alert(1)</script>", "answered_at": "today"}
    page = shown(step("EvidenceOperator", **PASSED), step("DrillApprovalSensor", "failed", **answer), state="failed")
    assert "<strong>dora</strong> rejected it" in page
    assert "<script>" not in page


@pytest.mark.parametrize("facts", [{"verdict": 7}, {"verdict": "passed", "restore_seconds": "x", "findings": "y"}])
def test_facts_of_any_form_do_not_break_the_page(facts: dict[str, Any]) -> None:
    """XCom can be written through the API by those who may."""
    assert "<h2>Steps</h2>" in shown(step("EvidenceOperator", **facts))


def test_report_that_cannot_be_read_here_is_refused_with_a_way_out(make_site: MakeSite) -> None:
    """No policy, no store, no evidence: each says why, and how to see it elsewhere."""
    site = make_site(NO_DATABASE)
    site.edit_policy("nightly: {", "restore_drill: {}\n      nightly: {")
    drill = RestorePointId.make(STARTED, "restore_drill", "x")
    run = DrillRun(drill, "shop-production.restore_drill", "shop-production.restore_drill/x", site.policy_file)
    elsewhere = DrillRun(drill, "shop-staging.restore_drill", "x", site.policy_file)
    missing = DrillRun(drill, "shop-production.restore_drill", "x", Path("/nowhere/shop.yaml"))
    for asked, reason in ((run, "not found"), (elsewhere, "no environment with the DAG"), (missing, "shop.yaml")):
        refusal = read_report(asked)
        assert isinstance(refusal, Refusal)
        assert reason in refusal.reason
        page = render_refusal(refusal)
        assert "cannot be shown here" in page
        assert f"holdfast evidence show shop.yaml ENV {drill}" in page


def test_refusal_shows_a_reason_as_text() -> None:
    """Messages quote what stands in stores."""
    assert "<b>" not in render_refusal(Refusal("<b>", "<b>", "<b>"))
