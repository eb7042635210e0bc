"""The first round's look around: what the watch finds once everything has been backed up."""

from __future__ import annotations

from holdfast_embedded.airflow.follow import follow
from holdfast_embedded.airflow.runs import Run, Runs
from holdfast_embedded.terminal import tell

_DAG_ID = "holdfast.watch"
_MODULE = "holdfast_watch.py"
_TASK = "watch"


def watch_once(runs: Runs) -> str:
    """Let the watch look at every environment; a line for each thing that it found, or one that there is none."""
    tell("watching")
    run = runs.trigger(_DAG_ID, _MODULE)
    if isinstance(run, Run):
        [(_, run)] = follow(runs, {_TASK: run})
        facts = runs.returned(run, _TASK)
        if run.state == "success" and facts:
            return _told(facts)
    return f"watch: failed: {run if isinstance(run, str) else run.trouble or 'see its page'}"


def _told(facts: dict[str, object]) -> str:
    found = facts["findings"]
    assert isinstance(found, list)
    lines = [f"watch: {each['severity']}: {each['text']}" for each in found]
    return "\n".join(lines) or "watch: every environment was looked at, nothing is wrong"
