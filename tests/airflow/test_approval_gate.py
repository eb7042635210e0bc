"""Approval gates in Airflow as it really runs: who can pass them, and what does not, whatever an Admin does."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

import pytest

from approval_gates import PLAN, GateRun, Gates, gate_site, pause
from fix_airflow import await_true, running_airflow
from holdfast.recovery.cluster import Cluster

pytestmark = pytest.mark.timeout(900)

NOT_REACHED = {"upstream_failed", "skipped"}
SHA = hashlib.sha256(PLAN.encode()).hexdigest()


@pytest.fixture(scope="module")
def gates(pg18: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gates]:
    site = gate_site(tmp_path_factory.mktemp("site"))
    with running_airflow(pg18, site) as airflow:
        yield Gates.open(airflow, ["ada", "grace", "linus"])


def test_approval_of_another_person_passes(gates: Gates) -> None:
    """What was shown, asked and answered stands in the store; the gate returns small facts."""
    run = gates.trigger("production", "ada")
    shown = run.await_asked()
    assert shown["body"] == PLAN
    assert shown["subject"] == f"Approve {run.subject} of shop/production (1 of 1)"
    assert (shown["options"], shown["defaults"], list(shown["params"])) == (["Approve", "Reject"], None, ["reason"])
    assert shown["params"]["reason"]["value"] is None
    run.answer("grace", reason="all equal")
    assert run.end() == {"pick": "success", "approval": "success", "act": "success"}
    assert gates.airflow.returned(run.path, "act") == ["approval: grace"]
    facts = gates.airflow.returned(run.path, "approval")
    assert (facts["approver"], facts["decision"], facts["reason"], facts["sha256"]) == (
        "grace",
        "approved",
        "all equal",
        SHA,
    )
    request, answer = run.record("approval.0001.request.json"), run.record("approval.0001.answer.json")
    assert (request["requested_by"], request["origin"], request["body"]) == (
        "ada",
        f"gates.production/{run.run_id}",
        PLAN,
    )
    assert (answer["approver"], answer["reason"], answer["sha256"]) == ("grace", "all equal", SHA)


def test_what_a_schedule_asks_for_anybody_may_approve(gates: Gates) -> None:
    """Nobody triggered the run, so nobody is its requester."""
    runs = "dags/gates.timed/dagRuns"
    await_true(lambda: gates.airflow.api.items(runs, "dag_runs"), 60, "the schedule starts a run")
    (found,) = gates.airflow.api.items(runs, "dag_runs")
    run = GateRun(gates, "gates.timed", found["dag_run_id"])
    run.await_asked()
    run.answer("ada")
    assert run.end()["act"] == "success"
    assert run.record("approval.0001.request.json")["requested_by"] is None


def test_requester_cannot_approve(gates: Gates) -> None:
    """Airflow takes the answer; the gate fails, is not tried again, and nothing is recorded."""
    run = gates.trigger("production", "ada")
    run.await_asked()
    run.answer("ada")
    states = run.end()
    assert (states["approval"], states["act"]) == ("failed", "upstream_failed")
    assert "ada asked for it, and cannot approve it too" in run.error("approval")
    assert run.task("approval")["try_number"] == 1
    assert not (run.stored("approvals") / "approval.0001.answer.json").exists()


def test_rejection_stops_everything_behind(gates: Gates) -> None:
    """It is recorded with its reason; marking the gate as success afterwards does not lead on."""
    run = gates.trigger("production", "ada")
    run.await_asked()
    run.answer("grace", "Reject", reason="two codes are missing")
    states = run.end()
    assert (states["approval"], states["act"]) == ("failed", "upstream_failed")
    assert "grace rejected it: two codes are missing" in run.error("approval")
    assert run.record("approval.0001.answer.json")["decision"] == "rejected"
    assert gates.airflow.returned(run.path, "approval")["decision"] == "rejected"
    run.mark_success("approval")
    run.clear("act")
    run.await_state("act", "failed")
    assert "grace rejected it: two codes are missing" in run.error("act")


def test_rejection_without_a_reason_is_asked_for_again(gates: Gates) -> None:
    """The error says how; the next answer is one to a new request."""
    run = gates.trigger("production", "ada")
    run.await_asked()
    run.answer("grace", "Reject", reason="  ")
    assert run.end()["act"] == "upstream_failed"
    assert "Clear this task and answer again with a reason." in run.error("approval")
    run.clear("approval", "act")
    run.await_asked()
    run.answer("grace")
    assert run.end()["act"] == "success"
    assert run.record("approval.0002.answer.json")["number"] == 2


def test_marking_the_gate_as_success_does_not_pass(gates: Gates) -> None:
    """Neither while it waits, with an answer that comes afterwards, nor with an XCom as the gate writes it."""
    run = gates.trigger("production", "ada", held=True)
    run.await_asked()
    run.mark_success("approval")
    run.await_state("act", "running")
    run.answer("grace")
    facts = {"approver": "grace", "decision": "approved", "gate": "approval", "request": 1, "sha256": SHA}
    xcoms = f"{run.path}/taskInstances/approval/xcomEntries"
    run.api.post(xcoms, {"key": "return_value", "value": facts})
    run.api.patch(f"{xcoms}/return_value", {"value": facts | {"subject": run.subject}})
    assert gates.airflow.returned(run.path, "approval")["approver"] == "grace"
    run.release()
    assert run.end()["act"] == "failed"
    assert "nobody has answered what was asked" in run.error("act")


def test_xcom_of_an_approved_subject_does_not_pass(gates: Gates) -> None:
    """The gate stays with what it has shown, and nothing that was approved in another run is done in this one."""
    approved = gates.trigger("production", "ada")
    approved.await_asked()
    approved.answer("grace")
    assert approved.end()["act"] == "success"
    run = gates.trigger("production", "ada")
    run.await_asked()
    own = run.subject
    run.api.patch(f"{run.path}/taskInstances/pick/xcomEntries/return_value", {"value": approved.subject})
    run.answer("ada")
    assert run.end()["approval"] == "failed"
    assert f"{own}: ada asked for it" in run.error("approval")
    run.mark_success("approval")
    run.clear("act")
    run.await_state("act", "failed")
    assert f"{approved.subject}: it was approved for gates.production/{approved.run_id}, not for" in run.error("act")


def test_late_answer_does_not_pass(gates: Gates) -> None:
    """Airflow itself takes it until it next looks for what is overdue."""
    run, silent = gates.trigger("brief", "ada"), gates.trigger("brief", "ada")
    run.await_asked()
    silent.await_asked()
    await_true(run.is_overdue, 30, "the request expires")
    run.answer("grace")
    assert run.end()["act"] == "upstream_failed"
    assert re.search("but the request expired at|nobody answered within 20s", run.error("approval"))
    assert silent.end()["act"] == "upstream_failed"
    assert "nobody answered within 20s" in silent.error("approval")
    assert "Clear this task to ask again." in silent.error("approval")


def test_approval_that_is_too_old_does_not_pass(gates: Gates) -> None:
    """Given in time, it counts for as long again as the question did."""
    run = gates.trigger("brief", "ada", held=True)
    run.await_asked()
    run.answer("grace")
    run.await_state("act", "running")
    pause(21)
    run.release()
    assert run.end()["act"] == "failed"
    assert "the approval of grace counted until" in run.error("act")


@pytest.mark.parametrize("is_answered", [True, False])
def test_altered_plan_does_not_pass(gates: Gates, is_answered: bool) -> None:
    """Altered between answer and act, or between question and answer."""
    run = gates.trigger("production", "ada", held=True)
    run.await_asked()
    if is_answered:
        run.answer("grace")
        run.await_state("act", "running")
    run.alter_plan()
    if not is_answered:
        run.answer("grace")
    run.release()
    states = run.end()
    if is_answered:
        assert states["act"] == "failed"
        assert "the plan has changed since grace approved it" in run.error("act")
    else:
        assert (states["approval"], states["act"]) == ("failed", "upstream_failed")
        assert "the plan is not the one that grace was shown" in run.error("approval")


def test_old_approval_does_not_count_once_the_gate_was_cleared(gates: Gates) -> None:
    """The gate asks anew, and a mark of success instead of an answer does not bring the old one back."""
    run = gates.trigger("production", "ada")
    run.await_asked()
    run.answer("grace")
    assert run.end()["act"] == "success"
    run.clear("approval", "act")
    run.await_asked()
    run.mark_success("approval")
    assert run.end()["act"] == "failed"
    assert "nobody has answered what was asked" in run.error("act")


def test_two_gates_need_two_people(gates: Gates) -> None:
    """The same person twice fails the second gate, and marking that as success does not help."""
    same = gates.trigger("double", "ada")
    two = gates.trigger("double", "ada")
    for run in (same, two):
        assert "(1 of 2)" in run.await_asked("first")["subject"]
        assert "(2 of 2)" in run.await_asked("second")["subject"]
    same.answer("grace", gate="first")
    same.await_state("first", "success")
    same.answer("grace", gate="second")
    two.answer("linus", gate="second")
    two.answer("grace", gate="first")
    assert two.end()["act"] == "success"
    assert gates.airflow.returned(two.path, "act") == ["first: grace", "second: linus"]
    assert same.end()["second"] == "failed"
    assert "grace has approved it at gate first already" in same.error("second")
    same.mark_success("second")
    same.clear("act")
    same.await_state("act", "failed")
    assert "gate second" in same.error("act")
    assert "nobody has answered" in same.error("act")


def test_approver_who_was_removed_does_not_count(gates: Gates) -> None:
    """The policy is asked as it stands when the approval is acted on."""
    site = gates.airflow.site
    run = gates.trigger("named", "ada", held=True)
    run.await_asked()
    run.answer("grace")
    run.await_state("act", "running")
    site.edit_policy("[grace, linus]", "[linus]")
    run.release()
    assert run.end()["act"] == "failed"
    assert "grace is not among policy.approval.approvers" in run.error("act")
    later = gates.trigger("named", "ada")
    later.await_asked()
    later.answer("grace")
    assert later.end()["approval"] == "failed"
    await_true(lambda: "grace is not among" in later.error("approval"), 10, "the gate's log tells why")
