"""The checklists of a restore, of validating a backup, and of before and after an incident, ticked from evidence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from holdfast.evidence import steps_taken
from holdfast.evidence.figures import counts
from holdfast.evidence.steps_taken import State, StepsTaken, ended
from holdfast.manifest.evidence import Closing, Evidence
from holdfast.values import figures

_HOLDFAST = "holdfast"
_PEOPLE = "people, in an incident"


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a checklist; ``who`` and ``at`` are of whoever did it."""

    text: str
    state: State
    detail: str = ""
    who: str | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Checklist:
    """Items under a title."""

    title: str
    items: tuple[Item, ...]


def checklists(evidence: Evidence, closing: Closing | None) -> tuple[Checklist, ...]:
    """All checklists, as far as the evidence and its closing tick them."""
    steps = StepsTaken(evidence)
    return (
        Checklist("Restore process", tuple(_restore(steps, closing))),
        Checklist("Validation of the backup", tuple(_validation(steps))),
        Checklist("Before a deployment", tuple(_before_deployment(steps))),
        Checklist("After an incident", tuple(_after_incident(steps, closing))),
    )


def _restore(steps: StepsTaken, closing: Closing | None) -> Iterator[Item]:
    evidence = steps.evidence
    yield _of(steps, "1. Create an isolated recovery environment", steps_taken.ENVIRONMENT, detail=_isolation(evidence))
    yield _of(steps, "2. Restore PostgreSQL into an empty database", steps_taken.DATABASE)
    yield _media(steps)
    yield _of(
        steps, "4. Configure temporary recovery secrets, disable payment and e-mail delivery", steps_taken.SETTINGS
    )
    yield _commands(steps, "5. Run the application's own reconciliation and checks")
    yield _of(steps, "6. Verify login, enrolment, payments and whatever else the policy asks", steps_taken.QUERIES)
    yield _codes(steps)
    yield _counted(steps, "8. Record counts and evidence")
    yield _approval(evidence, closing)
    yield _not_part("Switch production traffic, in an approved change window, after a fresh pre-restore snapshot")


def _validation(steps: StepsTaken) -> Iterator[Item]:
    restored = steps.state(steps_taken.DATABASE)
    # Which part of a restore failed is for its findings to say; the file is proven only by one that did not.
    fetched: State = "done" if restored == "done" else "not run"
    at = ended(steps.named(steps_taken.DATABASE))
    is_done = fetched == "done"
    who, stored = (_HOLDFAST, _stored(steps.evidence)) if is_done else (None, "")
    listed = "it was restored by its table of contents" if is_done else ""
    yield Item("The backup file exists and is larger than 0 bytes", fetched, stored, who, at if is_done else None)
    yield Item("pg_restore --list succeeds", fetched, listed, who, at if is_done else None)
    yield _of(steps, "A test restore completes without errors", steps_taken.DATABASE)
    yield _counted(steps, "Row counts match production's")
    yield _commands(steps, "The application connects successfully")


def _before_deployment(steps: StepsTaken) -> Iterator[Item]:
    evidence = steps.evidence
    yield Item("Take a full backup", "done", evidence.restore_point, _HOLDFAST, evidence.restore_point_taken_at)
    yield _of(steps, "Verify the backup file", steps_taken.DATABASE)
    expected = counts(evidence.tables)
    state: State = "done" if expected.tables else "not run"
    said = f"{figures.count(expected.rows_expected)} rows in the snapshot of the dump" if expected.tables else ""
    yield Item("Note current row counts", state, said, _HOLDFAST, evidence.restore_point_taken_at)
    yield _of(steps, "Test the restore", steps_taken.DATABASE, steps_taken.COUNTS)
    yield _not_part("Proceed with the deployment", "people")


def _after_incident(steps: StepsTaken, closing: Closing | None) -> Iterator[Item]:
    evidence = steps.evidence
    yield _not_part("Assess the scope of the damage")
    chosen_by = evidence.requested_by or _HOLDFAST
    yield Item("Identify the last good backup", "done", evidence.restore_point, chosen_by, evidence.opened_at)
    yield _of(steps, "Restore elsewhere first", steps_taken.DATABASE)
    yield _of(steps, "Verify the restored data", steps_taken.COUNTS, steps_taken.QUERIES)
    yield _not_part("Schedule the window for restoring production")
    yield _not_part("Notify affected users")
    at = closing.closed_at if closing is not None else evidence.finished_at
    yield Item("Document what was done", "done", "this report, signed", _HOLDFAST, at)


def _of(steps: StepsTaken, text: str, *names: str, detail: str = "") -> Item:
    """An item that is done where those steps passed."""
    taken = steps.named(*names)
    state = steps.state(*names)
    return Item(text, state, _first_finding(steps, *names) or detail, _HOLDFAST if taken else None, ended(taken))


def _first_finding(steps: StepsTaken, *names: str) -> str:
    return next((finding.text for step in steps.named(*names) for finding in step.findings), "")


def _isolation(evidence: Evidence) -> str:
    around = evidence.surroundings
    if around is None:
        return ""
    if around.confinement is None:
        return "no command of the application was run in it"
    reach = {
        "isolated": "no network at all for the application's commands, proven",
        "isolated-host": "on an isolated host, interfaces and routes recorded",
        "unconfined": "NOT isolated: the policy allows the commands the worker's network",
    }
    return reach[around.confinement.network]


def _media(steps: StepsTaken) -> Item:
    text = "3. Restore the matching media snapshot"
    if steps.evidence.media == "none" and steps.state(steps_taken.MEDIA) in ("done", "not asked for"):
        return Item(text, "not asked for", "no media was asked for, or the restore point has none")
    sampled = "a sample of it" if steps.evidence.media == "sample" else ""
    return _of(steps, text, steps_taken.MEDIA, detail=sampled)


def _commands(steps: StepsTaken, text: str) -> Item:
    state = steps.state_of_commands
    if state == "not asked for":
        return Item(text, state, "no command was to be run")
    failed = next((finding.text for step in steps.commands for finding in step.findings), "")
    said = failed or ", ".join(step.title for step in steps.commands)
    return Item(text, state, said, _HOLDFAST if steps.commands else None, ended(steps.commands))


def _codes(steps: StepsTaken) -> Item:
    text = "7. Verify several old and new certificate codes and their QR links"
    facts = [
        f"{name} {value}"
        for step in steps.named(steps_taken.QUERIES)
        for name, value in step.facts.items()
        if "code" in name
    ]
    if steps.state(steps_taken.QUERIES) == "done" and not facts:
        return Item(text, "not asked for", "the policy names no codes")
    return _of(steps, text, steps_taken.QUERIES, detail=", ".join(facts))


def _counted(steps: StepsTaken, text: str) -> Item:
    found = counts(steps.evidence.tables)
    counted = steps.named(steps_taken.COUNTS)
    if not found.tables:
        return Item(text, "not run", "nothing was counted")
    if found.differing:
        said = f"{figures.count(len(found.differing))} of {figures.count(found.tables)} tables differ"
        return Item(text, "failed", said, _HOLDFAST, ended(counted))
    said = f"{figures.count(found.rows_found)} rows in {figures.count(found.tables)} tables, each equal"
    return Item(text, "done", said, _HOLDFAST, ended(counted))


def _approval(evidence: Evidence, closing: Closing | None) -> Item:
    text = "8. Obtain approval before switching production traffic"
    if closing is not None and closing.approvals:
        who = ", ".join(approval.approver for approval in closing.approvals)
        return Item(text, "done", "", who, max(approval.answered_at for approval in closing.approvals))
    if evidence.approval == "not asked" or closing is not None:
        return Item(text, "not asked for", "approval was not asked for")
    if evidence.verdict == "failed":
        return Item(text, "not run", "a failed drill is not approved")
    return Item(text, "waiting", "for a person other than who asked for the drill")


def _stored(evidence: Evidence) -> str:
    return next(
        (f"{figures.size(point.bytes)} stored" for point in evidence.history if point.id == evidence.restore_point), ""
    )


def _not_part(text: str, who: str = _PEOPLE) -> Item:
    return Item(text, "not part of a drill", "", who)
