"""Follows several runs to their ends, and tells what is news."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from holdfast_embedded.airflow.runs import Run, Runs
from holdfast_embedded.terminal import tell

_LOOK_S = 0.5
_REMIND_S = 30.0


def follow(runs: Runs, started: Mapping[str, Run], what: str = "") -> Iterator[tuple[str, Run]]:
    """Each title with its run, once that is finished; ``what`` says what kind of run it is."""
    waiting = dict(started)
    remind_at = time.monotonic() + _REMIND_S
    while waiting:
        time.sleep(_LOOK_S)
        for title, run in list(waiting.items()):
            if _look(runs, f"{title}, {what}" if what else title, run):
                del waiting[title]
                yield title, run
        if waiting and time.monotonic() > remind_at:
            remind_at += _REMIND_S
            tell(f"still at work: {', '.join(f'{title} ({run.task or run.state})' for title, run in waiting.items())}")


def _look(runs: Runs, title: str, run: Run) -> bool:
    """See how far a run is, and tell what is news; True when it is finished."""
    before = run.trouble
    runs.look(run)
    if run.is_finished:
        tell(f"{title}: {'done' if run.state == 'success' else 'failed'}")
    elif run.trouble is not None and run.trouble != before:
        tell(f"{title}: failed, is tried again: {run.trouble}")
    return run.is_finished
