"""What a run's page says first: what the run makes, and in one sentence how it stands."""

from __future__ import annotations

from holdfast_airflow.ui import drills, operations, wal, watch
from holdfast_airflow.ui.run_facts import RunFacts

Outcome = tuple[str, str]
"""CSS class and sentence."""


def title(run: RunFacts) -> tuple[str, str | None]:
    """What the run makes, and its id once there is one."""
    if run.watches:
        return "Watch", None
    if run.is_operation:
        return run.dag_id.rpartition(".")[2].replace("_", " ").capitalize(), run.plan.text("operation")
    if run.finds_instant:
        return "First instant", None
    if run.recovers_to_instant:
        found = run.drill.text("restore_point")
        return ("Recovery from base backup", found) if found else ("Recovery not finished yet", None)
    if run.is_drill:
        return ("Restore of", run.drill.text("restore_point")) if run.drill else ("Restore not finished yet", None)
    if run.makes_restore_point:
        found = run.restore_point
        return ("Restore point", found) if found else ("No restore point opened yet", None)
    if wal.is_about(run):
        return wal.title(run)
    if run.checks_media:
        return "Media check", None
    if run.only_expires:
        return "Expiry", None
    found = run.media.text("snapshot")
    return ("Media snapshot", found) if found else ("No media snapshot yet", None)


def sentence(run: RunFacts) -> Outcome:
    """How the run stands."""
    if run.watches:
        return watch.sentence(run)
    if run.is_operation:
        return operations.sentence(run)
    if run.finds_instant:
        return _instant(run)
    if run.is_drill:
        return drills.sentence(run)
    if run.makes_restore_point:
        return _restore_point(run)
    if wal.is_about(run):
        return wal.sentence(run)
    if run.only_expires:
        return _expiry(run)
    return _media_check(run) if run.checks_media else _media_snapshot(run)


def _restore_point(run: RunFacts) -> Outcome:
    if run.is_committed and run.state == "failed":
        return "warn", f"The restore point is committed, but {run.blamed} failed."
    if run.is_committed:
        return "good", "The restore point is committed: encrypted, verified and signed."
    if run.state == "failed":
        return "bad", f"There is no restore point: {run.blamed} failed. Its log says why and what to do."
    if run.state == "success":
        return "bad", "There is no restore point: the run was marked a success without its manifest."
    return "wait", "Under way: there is no restore point before its manifest is written."


def _media_snapshot(run: RunFacts) -> Outcome:
    is_committed = run.media.text("snapshot") is not None
    if is_committed and run.state == "failed":
        return "warn", f"The media snapshot is committed, but {run.blamed} failed."
    if is_committed:
        return "good", "The media snapshot is committed: encrypted and signed."
    if run.state == "failed":
        return "bad", f"There is no media snapshot: {run.blamed} failed. Earlier ones are as they were."
    if run.state == "success":
        return "bad", "There is no media snapshot: the run was marked a success without it."
    return "wait", "Under way: there is no media snapshot before its manifest is written."


def _expiry(run: RunFacts) -> Outcome:
    if run.state == "failed":
        return "bad", f"Not finished: {run.blamed} failed. Its log says why and what to do."
    if run.expired.flag("dry_run"):
        return "good", "Nothing was deleted: the run only says what would be."
    if run.expired:
        return "good", "What the policy keeps no longer is deleted."
    if run.state == "success":
        return "bad", "Nothing was looked at: the run was marked a success without it."
    return "wait", "Under way."


def _instant(run: RunFacts) -> Outcome:
    if run.state == "failed":
        return "bad", f"Not answered: {run.blamed} failed. Its log says why and what to do."
    if run.instant.text("restore_point_before"):
        return "good", "Found, and there is a restore point from before."
    if run.instant.text("first"):
        return "bad", "Found, but no restore point shows a state from before."
    if run.instant:
        return "good", "No such rows, or none with a time."
    return "wait", "Under way: the live database is asked; nothing is changed."


def _media_check(run: RunFacts) -> Outcome:
    if run.media_check.flag("ok") is False:
        return "bad", "Stored media are damaged. Take a media snapshot now: it packs again what the source still has."
    if run.media_check and run.state == "success":
        return "good", "Everything that was read is as it was stored."
    if run.state == "failed":
        return "bad", f"The check did not finish: {run.blamed} failed. Its log says why and what to do."
    if run.state == "success":
        return "bad", "Nothing was checked: the run was marked a success without it."
    return "wait", "Under way."
