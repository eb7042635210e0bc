"""Items of checklists: what became of each, who did it and when, as the evidence shows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from holdfast.evidence import steps_taken
from holdfast.evidence.figures import counts, worded_facts
from holdfast.evidence.steps_taken import State, StepsTaken, ended
from holdfast.manifest.evidence import Closing, Evidence
from holdfast.values import figures

HOLDFAST = "holdfast"
PEOPLE = "people, in an incident"


@dataclass(frozen=True, slots=True)
class Item:
    """One line of a checklist; ``who`` and ``at`` are of whoever did it."""

    text: str
    state: State
    detail: str = ""
    who: str | None = None
    at: datetime | None = None


def last_good(steps: StepsTaken) -> Item:
    """Good is what was restored and found equal, not what somebody has chosen."""
    evidence = steps.evidence
    state = steps.state(steps_taken.DATABASE, steps_taken.COUNTS)
    said = evidence.restore_point if state == "done" else f"{evidence.restore_point} is not proven"
    return Item("Identify the last good backup", state, said, evidence.requested_by or HOLDFAST, evidence.opened_at)


def of(steps: StepsTaken, text: str, *names: str, detail: str = "") -> Item:
    """An item that is done where those steps passed."""
    taken = steps.named(*names)
    state = steps.state(*names)
    return Item(text, state, _first_finding(steps, *names) or detail, HOLDFAST if taken else None, ended(taken))


def _first_finding(steps: StepsTaken, *names: str) -> str:
    return next((finding.text for step in steps.named(*names) for finding in step.findings), "")


def isolation(evidence: Evidence) -> str:
    """How the recovery environment was kept apart, in a few words."""
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


def media(steps: StepsTaken) -> Item:
    """The media snapshot; not asked for where there is none to restore."""
    text = "3. Restore the matching media snapshot"
    taken = steps.named(steps_taken.MEDIA)
    is_none = steps.evidence.media == "none" or any(step.facts.get("media") is False for step in taken)
    if is_none and steps.state(steps_taken.MEDIA) in ("done", "not asked for"):
        return Item(text, "not asked for", "no media was asked for, or the restore point has none")
    sampled = "a sample of it" if steps.evidence.media == "sample" else ""
    return of(steps, text, steps_taken.MEDIA, detail=sampled)


def commands(steps: StepsTaken, text: str) -> Item:
    """The application's own commands; not asked for where none was to be run."""
    state = steps.state_of_commands
    if state == "not asked for":
        return Item(text, state, "no command was to be run")
    failed = next((finding.text for step in steps.commands for finding in step.findings), "")
    said = failed or ", ".join(step.title for step in steps.commands)
    return Item(text, state, said, HOLDFAST if steps.commands else None, ended(steps.commands))


def queries(steps: StepsTaken, text: str) -> Item:
    """The policy's queries, which share a step with the look-up of codes."""
    return _asked(steps, text, [text for text in _query_findings(steps) if not _is_of_codes(text)], is_of_codes=False)


def codes(steps: StepsTaken, text: str) -> Item:
    """Codes that people hold; not asked for where the policy names none."""
    return _asked(steps, text, [text for text in _query_findings(steps) if _is_of_codes(text)], is_of_codes=True)


def _asked(steps: StepsTaken, text: str, findings: list[str], *, is_of_codes: bool) -> Item:
    taken = steps.named(steps_taken.QUERIES)
    if not taken:
        return of(steps, text, steps_taken.QUERIES)
    # A policy with codes alone has a step whose queries are none.
    facts = [
        fact
        for step in taken
        for fact in worded_facts(step)
        if _is_of_codes(fact[0]) == is_of_codes and (is_of_codes or step.facts.get("queries") != 0)
    ]
    if not facts and not findings:
        return Item(text, "not asked for", f"the policy names no {'codes' if is_of_codes else 'queries'}")
    # Several queries of an area say the same.
    said = ", ".join(dict.fromkeys(value if name.startswith("query ") else f"{name}: {value}" for name, value in facts))
    detail = findings[0] if findings else said
    return Item(text, "failed" if findings else "done", detail, HOLDFAST, ended(taken))


def _query_findings(steps: StepsTaken) -> list[str]:
    return [finding.text for step in steps.named(steps_taken.QUERIES) for finding in step.findings]


def _is_of_codes(text: str) -> bool:
    """Facts and findings of queries begin with that word, whatever the query is called."""
    return text.startswith("code")


def counted(steps: StepsTaken, text: str) -> Item:
    """Every table's rows; failed as soon as one differs, and not run where none was counted."""
    return counted_in(steps, text, steps_taken.COUNTS)


def counted_in(steps: StepsTaken, text: str, *names: str) -> Item:
    """The same, counted by the first of these steps that was taken."""
    found = counts(steps.evidence.tables)
    counted = steps.named(*names)[:1]
    if not found.tables:
        return Item(text, "not run", "nothing was counted")
    if found.differing:
        said = f"{figures.count(len(found.differing))} of {figures.count(found.tables)} tables differ"
        return Item(text, "failed", said, HOLDFAST, ended(counted))
    said = f"{figures.count(found.rows_found)} rows in {figures.count(found.tables)} tables, each equal"
    return Item(text, "done", said, HOLDFAST, ended(counted))


def approval(
    evidence: Evidence,
    closing: Closing | None,
    text: str = "8. … then obtain approval before switching production traffic",
) -> Item:
    """The agreement of people; awaited only after a drill that passed."""
    if closing is not None and closing.approvals:
        who = ", ".join(approval.approver for approval in closing.approvals)
        return Item(text, "done", "", who, max(approval.answered_at for approval in closing.approvals))
    if evidence.approval == "not asked" or closing is not None:
        return Item(text, "not asked for", "approval was not asked for")
    if evidence.verdict == "failed":
        return Item(text, "not run", "a failed drill is not approved")
    return Item(text, "waiting", "for a person other than who asked for the drill")


def stored(evidence: Evidence) -> str:
    """The stored size of the restore point, where the history tells it."""
    return next(
        (f"{figures.size(point.bytes)} stored" for point in evidence.history if point.id == evidence.restore_point), ""
    )


def not_part(text: str, who: str = PEOPLE) -> Item:
    """What no drill does."""
    return Item(text, "not part of a drill", "", who)
