"""What the page of a drill's run says first."""

from __future__ import annotations

from holdfast_airflow.ui.run_facts import RunFacts

Outcome = tuple[str, str]


def sentence(run: RunFacts) -> Outcome:
    """How the drill stands; a verdict counts only where its evidence is there."""
    verdict = run.drill.text("verdict")
    if verdict == "failed":
        what = ("recovery", "window") if run.recovers_to_instant else ("restore", "restore point")
        return "bad", f"The {what[0]} failed. Do not rely on this {what[1]} before the findings below are explained."
    if verdict == "passed":
        return _passed(run)
    if run.state == "failed":
        return "bad", f"There is no evidence: {run.blamed} failed. Its log says why and what to do."
    if run.state == "success":
        return "bad", "There is no evidence: the run was marked a success without it."
    return "wait", "Under way: nothing is proven before the evidence is recorded."


def _passed(run: RunFacts) -> Outcome:
    done = "Recovered" if run.recovers_to_instant else "Restored"
    if run.closing:
        people = ", ".join(run.closing.texts("approved_by")) or "nobody"
        return "good", f"{done}, compared, and approved by {people}."
    if run.state == "failed":
        return "warn", f"{done} and compared, but {run.blamed} failed."
    if not run.has_gates and run.recovers_to_instant:
        return "good", "Recovered for real and compared: what was there at that instant is there."
    if not run.has_gates:
        return "good", "Restored for real and compared: everything is as its manifest says."
    if run.state == "success":
        return "bad", f"{done} and compared, but the run was marked a success: nobody's approval is on record."
    return "wait", f"{done} and compared. It waits for approval."
