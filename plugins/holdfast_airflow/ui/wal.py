"""What the page of a run says first that streams WAL, checks it, or takes a base backup."""

from __future__ import annotations

from holdfast_airflow.ui.run_facts import RunFacts

Outcome = tuple[str, str]


def is_about(run: RunFacts) -> bool:
    """Whether it is such a run."""
    return run.streams_wal or run.makes_base_backup or run.checks_wal


def title(run: RunFacts) -> tuple[str, str | None]:
    """What the run makes, and its id once there is one."""
    if run.streams_wal:
        return "Continuous WAL", None
    if run.checks_wal:
        return "WAL check", None
    found = run.base_backup.text("base_backup")
    return ("Base backup", found) if found else ("No base backup yet", None)


def sentence(run: RunFacts) -> Outcome:
    """How the run stands."""
    if run.streams_wal:
        return _stream(run)
    return _check(run) if run.checks_wal else _base_backup(run)


def _stream(run: RunFacts) -> Outcome:
    if run.wal.text("gap"):
        return "warn", "WAL was lost. What lies before the next base backup may not be recovered to every instant."
    if run.wal and run.state == "success":
        return "good", "What the server wrote is in the store: encrypted and signed."
    if run.state == "failed":
        return "bad", f"{run.blamed} failed: the server holds WAL back until a run works again. Its log says why."
    if run.state == "success":
        return "bad", "Nothing is known to be stored: the run was marked a success without it."
    return "wait", "Under way: WAL is stored as it comes. Figures are shown when the run's time is over."


def _base_backup(run: RunFacts) -> Outcome:
    is_committed = run.base_backup.text("base_backup") is not None
    if is_committed and run.state == "failed":
        return "warn", f"The base backup is committed, but {run.blamed} failed."
    if is_committed:
        return "good", "The base backup is committed, with all WAL that it needs: encrypted and signed."
    if run.state == "failed":
        return "bad", f"There is no base backup: {run.blamed} failed. Earlier ones are as they were."
    if run.state == "success":
        return "bad", "There is no base backup: the run was marked a success without its manifest."
    return "wait", "Under way: there is no base backup before its WAL is stored and its manifest written."


def _check(run: RunFacts) -> Outcome:
    if run.wal_check.flag("ok") is False:
        return "bad", "Stored WAL is damaged or missing. Take a base backup now: from its end on all can be recovered."
    if run.wal_check and run.state == "success":
        return "good", "From each kept base backup on, WAL is there without a gap, and is as it was stored."
    if run.state == "failed":
        return "bad", f"The check did not finish: {run.blamed} failed. Its log says why and what to do."
    if run.state == "success":
        return "bad", "Nothing was checked: the run was marked a success without it."
    return "wait", "Under way."
