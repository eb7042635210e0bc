"""The checklists of a restore, of validating a backup, and of before and after an incident, ticked from evidence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from holdfast.evidence import items, steps_taken
from holdfast.evidence.figures import counts
from holdfast.evidence.instant_checklist import instant_checklist
from holdfast.evidence.items import Item
from holdfast.evidence.operation_checklists import operation_checklists
from holdfast.evidence.steps_taken import State, StepsTaken, ended
from holdfast.manifest.evidence import Closing, Evidence
from holdfast.values import figures


@dataclass(frozen=True, slots=True)
class Checklist:
    """Items under a title."""

    title: str
    items: tuple[Item, ...]


def checklists(evidence: Evidence, closing: Closing | None) -> tuple[Checklist, ...]:
    """All checklists, as far as the evidence and its closing tick them."""
    if not evidence.is_drill:
        return tuple(Checklist(title, found) for title, found in operation_checklists(evidence))
    steps = StepsTaken(evidence)
    if evidence.is_pitr:
        return (Checklist("Recovery to an instant", tuple(instant_checklist(steps, closing))),)
    return (
        Checklist("Restore process", tuple(_restore(steps, closing))),
        Checklist("Validation of the backup", tuple(_validation(steps))),
        Checklist("Before a deployment", tuple(_before_deployment(steps))),
        Checklist("After an incident", tuple(_after_incident(steps, closing))),
    )


def _restore(steps: StepsTaken, closing: Closing | None) -> Iterator[Item]:
    evidence = steps.evidence
    yield items.of(
        steps, "1. Create an isolated recovery environment", steps_taken.ENVIRONMENT, detail=items.isolation(evidence)
    )
    yield items.of(steps, "2. Restore PostgreSQL into an empty database", steps_taken.DATABASE)
    yield items.media(steps)
    yield items.of(
        steps, "4. Configure temporary recovery secrets, disable payment and e-mail delivery", steps_taken.SETTINGS
    )
    yield items.commands(steps, "5. Run the application's own reconciliation and checks")
    yield items.queries(steps, "6. Verify login, enrolment, payments and whatever else the policy asks")
    yield items.codes(steps, "7. Verify several old and new certificate codes and their QR links")
    yield items.counted(steps, "8. Record counts and evidence")
    yield items.approval(evidence, closing)
    yield items.not_part("Switch production traffic, in an approved change window, after a fresh pre-restore snapshot")


def _validation(steps: StepsTaken) -> Iterator[Item]:
    restored = steps.state(steps_taken.DATABASE)
    # Which part of a restore failed is for its findings to say; the file is proven only by one that did not.
    fetched: State = "done" if restored == "done" else "not run"
    at = ended(steps.named(steps_taken.DATABASE))
    is_done = fetched == "done"
    who, stored = (items.HOLDFAST, items.stored(steps.evidence)) if is_done else (None, "")
    listed = "it was restored by its table of contents" if is_done else ""
    yield Item("The backup file exists and is larger than 0 bytes", fetched, stored, who, at if is_done else None)
    yield Item("pg_restore --list succeeds", fetched, listed, who, at if is_done else None)
    yield items.of(steps, "A test restore completes without errors", steps_taken.DATABASE)
    yield items.counted(steps, "Row counts match production's")
    yield items.commands(steps, "The application connects successfully")


def _before_deployment(steps: StepsTaken) -> Iterator[Item]:
    evidence = steps.evidence
    yield Item("Take a full backup", "done", evidence.restore_point, items.HOLDFAST, evidence.restore_point_taken_at)
    yield items.of(steps, "Verify the backup file", steps_taken.DATABASE)
    expected = counts(evidence.tables)
    state: State = "done" if expected.tables else "not run"
    said = f"{figures.count(expected.rows_expected)} rows in the snapshot of the dump" if expected.tables else ""
    yield Item("Note current row counts", state, said, items.HOLDFAST, evidence.restore_point_taken_at)
    yield items.of(steps, "Test the restore", steps_taken.DATABASE, steps_taken.COUNTS)
    yield items.not_part("Proceed with the deployment", "people")


def _after_incident(steps: StepsTaken, closing: Closing | None) -> Iterator[Item]:
    evidence = steps.evidence
    yield items.not_part("Assess the scope of the damage")
    yield items.last_good(steps)
    yield items.of(steps, "Restore elsewhere first", steps_taken.DATABASE)
    yield items.of(steps, "Verify the restored data", steps_taken.COUNTS, steps_taken.QUERIES)
    yield items.not_part("Schedule the window for restoring production")
    yield items.not_part("Notify affected users")
    at = closing.closed_at if closing is not None else evidence.finished_at
    yield Item("Document what was done", "done", "this report, signed", items.HOLDFAST, at)
