"""The checklists of after an incident and of before a deployment, ticked from the evidence of an operation."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.evidence import acts
from holdfast.evidence.figures import counts, moment
from holdfast.evidence.items import HOLDFAST, PEOPLE, Item, counted_in, of
from holdfast.evidence.steps_taken import State, StepsTaken, ended
from holdfast.manifest.evidence import Evidence

# Where these look at rows, the plan itself was made from a restore into a throwaway database.
_LOOKED_UP_ELSEWHERE = ("restore_tables", "recover_rows")
_PLANNED_DEPLOYMENT = ("guarded_migration", "rollback")
_BESIDE = (acts.RESTORE_BESIDE, acts.RESTORE_MEDIA_BESIDE)


def operation_checklists(evidence: Evidence) -> Iterator[tuple[str, tuple[Item, ...]]]:
    """Titles with their items."""
    steps = StepsTaken(evidence)
    if evidence.kind in _PLANNED_DEPLOYMENT:
        yield "Before a deployment", tuple(_before_deployment(steps))
    # A migration that went well was no incident.
    if evidence.kind != "guarded_migration" or evidence.verdict == "failed":
        yield "After an incident", tuple(_after_incident(steps))


def _before_deployment(steps: StepsTaken) -> Iterator[Item]:
    evidence = steps.evidence
    point, taken = evidence.restore_point, evidence.restore_point_taken_at
    yield Item("Take a full backup", "done", point, HOLDFAST, taken)
    yield Item("Verify the backup file", "done", "read back from the store before it was signed", HOLDFAST, taken)
    noted = next((each.rows for each in evidence.history if each.id == point), None)
    said = f"{noted:,} rows, each table's number in its manifest" if noted is not None else "in its manifest"
    yield Item("Note current row counts", "done", said, HOLDFAST, taken)
    yield _elsewhere(steps, "Test the restore")
    if evidence.kind == "guarded_migration":
        yield of(steps, "Proceed with the deployment: the migration", acts.MIGRATE)
    else:
        yield Item("Proceed with the deployment", "done", "it was, and is taken back by this", PEOPLE)


def _after_incident(steps: StepsTaken) -> Iterator[Item]:
    evidence = steps.evidence
    who = evidence.requested_by or HOLDFAST
    yield _assessed(steps, who)
    yield _last_good(steps, who)
    yield _elsewhere(steps, "Restore to staging first")
    yield _verified(steps)
    yield _window(evidence, who)
    yield Item("Notify affected users", "not part of this", "", PEOPLE)
    yield Item("Document incident", "done", "this report, signed", HOLDFAST, evidence.finished_at)


def _assessed(steps: StepsTaken, who: str) -> Item:
    """Who asks says what is wrong; the plan then says what is live and what would be lost."""
    state = steps.state(acts.PLAN)
    said = steps.evidence.reason or "no reason was given"
    return Item("Assess damage scope", state, f"{said}; planned by holdfast", who, ended(steps.named(acts.PLAN)))


def _last_good(steps: StepsTaken, who: str) -> Item:
    """Good is what was restored and found equal, not what somebody has chosen."""
    evidence = steps.evidence
    if evidence.kind == "switch_back":
        return Item("Identify last good backup", "not asked for", "what had been replaced is good again", who)
    state = _elsewhere(steps, "").state
    said = evidence.restore_point if state == "done" else f"{evidence.restore_point} is not proven by this"
    return Item("Identify last good backup", state, said, who, evidence.opened_at)


def _elsewhere(steps: StepsTaken, text: str) -> Item:
    """Whether it was restored beside what is live, or into a throwaway database, before anything live was changed."""
    evidence = steps.evidence
    rehearsal = _fact(evidence, "rehearsal")
    taken = [name for name in _BESIDE if steps.named(name) or name in evidence.steps_not_run]
    if taken:
        beside = "beside what is live, under another name, before the switch"
        return of(steps, text, *taken, detail=f"{beside}; before that, evidence {rehearsal}" if rehearsal else beside)
    if evidence.kind in _LOOKED_UP_ELSEWHERE:
        return of(steps, text, acts.PLAN, detail="into a throwaway database, to compare it with what is live")
    if rehearsal:
        return Item(text, "done", f"evidence {rehearsal}", HOLDFAST)
    return Item(text, "not asked for", "nothing was restored by this")


def _verified(steps: StepsTaken) -> Item:
    text = "Verify restored data"
    evidence = steps.evidence
    if counts(evidence.tables).tables and steps.state(acts.RESTORE_BESIDE) != "failed":
        return counted_in(steps, text, acts.RESTORE_BESIDE, acts.APPLY, acts.CHECK_LIVE)
    if evidence.kind in _LOOKED_UP_ELSEWHERE:
        return of(steps, text, acts.PLAN, acts.APPLY, detail="compared with what is live, row by row")
    beside = [name for name in _BESIDE if steps.named(name)]
    return of(steps, text, *(beside or [acts.CHECK_LIVE]))


def _window(evidence: Evidence, who: str) -> Item:
    text, window = "Schedule production restore window", evidence.window
    if window is None:
        return Item(text, "not asked for", "the policy asks for none, and none was named", who)
    ticket = f", ticket {window.ticket}" if window.ticket else ""
    state: State = "done"
    return Item(text, state, f"{moment(window.begins_at)} to {moment(window.ends_at)}{ticket}", who, evidence.opened_at)


def _fact(evidence: Evidence, name: str) -> str | None:
    found = (step.facts.get(name) for step in evidence.steps)
    return next((value for value in found if isinstance(value, str) and value), None)
