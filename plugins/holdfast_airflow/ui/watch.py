"""What the page of a round of the watch says first."""

from __future__ import annotations

from holdfast_airflow.ui.run_facts import RunFacts

Outcome = tuple[str, str]


def sentence(run: RunFacts) -> Outcome:
    """How the round stands, and whether it found anything that somebody is woken for."""
    if run.state == "failed":
        return "bad", f"Not all of the round could be done: {run.blamed} failed. Its log says what, and why."
    found = run.watched.objects("findings")
    if any(finding.text("severity") == "page" for finding in found):
        return "bad", "Every environment was looked at. Something is wrong that cannot wait."
    if found:
        return "warn", "Every environment was looked at. Something is to be looked into."
    if run.watched:
        return "good", "Every environment was looked at, and nothing is wrong."
    if run.state == "success":
        return "bad", "Nothing was looked at: the run was marked a success without it."
    return "wait", "Under way."
