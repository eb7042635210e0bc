"""What the page of an operation's run says first."""

from __future__ import annotations

from holdfast_airflow.ui.run_facts import RunFacts

Outcome = tuple[str, str]


def sentence(run: RunFacts) -> Outcome:
    """How the operation stands; only signed evidence says that it was done."""
    verdict = run.operation.text("verdict")
    if verdict == "failed":
        return "bad", "It failed. The findings below say why, and what is where."
    if verdict == "passed":
        return _passed(run)
    if run.state == "failed":
        return "bad", f"There is no evidence: {run.blamed} failed. Its log says why, and what is where."
    if run.state == "success":
        return "bad", "There is no evidence: the run was marked a success without it."
    if run.plan and not run.has_changed_live:
        return "wait", "Planned. What is live is as it was, and stays so until people have approved."
    if run.has_changed_live:
        return "wait", "Approved, and under way."
    return "wait", "Under way: nothing live is changed before people have approved the plan."


def _passed(run: RunFacts) -> Outcome:
    if not run.has_changed_live:
        return "good", "Nothing had to be changed: what is live is as it was. The plan says why."
    people = ", ".join(name for answer in run.approvals if (name := answer.text("approver"))) or "nobody by name"
    if run.state == "failed":
        return "warn", f"Done, approved by {people}, but {run.blamed} failed."
    return "good", f"Done and recorded; approved by {people}."
