"""The checklist of a recovery to an instant, ticked from its evidence."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.evidence import instants, items, steps_taken
from holdfast.evidence.items import HOLDFAST, Item
from holdfast.evidence.steps_taken import StepsTaken, ended
from holdfast.manifest.evidence import Closing

RECOVER = "recover_to_instant"
PAGES = "check_pages"
RECOVERED = "check_recovered"


def instant_checklist(steps: StepsTaken, closing: Closing | None) -> Iterator[Item]:
    """What it takes to trust that the cluster can be brought to any second."""
    evidence = steps.evidence
    yield items.of(steps, "1. Create an isolated recovery environment", steps_taken.ENVIRONMENT)
    yield _replayed(steps)
    yield items.of(steps, "3. Check every page of the recovered cluster", PAGES)
    yield _marker(steps)
    yield items.of(steps, "5. Check tables and indexes, count rows", RECOVERED)
    yield items.queries(steps, "6. Verify what the policy asks")
    yield _measured(steps)
    yield items.approval(evidence, closing, "8. Obtain approval of this evidence")
    yield items.not_part("Recover production: `holdfast recover`, in an approved change window")


def _replayed(steps: StepsTaken) -> Item:
    done = steps.evidence.replayed
    said = f"reached {instants.reached(done)}" if done is not None else ""
    return items.of(steps, "2. Fetch and verify the base backup, replay WAL up to the instant", RECOVER, detail=said)


def _marker(steps: StepsTaken) -> Item:
    """Done only by a comparison: where no marker was known, none was made."""
    text, evidence = "4. Find the marker that the WAL promises", steps.evidence
    taken, state = steps.named(RECOVERED), steps.state(RECOVERED)
    tried, done = evidence.pitr, evidence.replayed
    if tried is None or done is None or not taken:
        return Item(text, "not run")
    if tried.marker is None:
        return Item(text, "not asked for", "the WAL holds no marker as old as the instant")
    said = f"found {instants.found_marker(done)}, expected {instants.expected_marker(tried)}"
    is_found = tried.accepts(done.marker)
    return Item(text, "done" if is_found else "failed" if state == "failed" else state, said, HOLDFAST, ended(taken))


def _measured(steps: StepsTaken) -> Item:
    done = steps.evidence.replayed
    if done is None:
        return Item("7. Measure", "not run")
    said = f"{instants.rate(done)}, waited {instants.waited(done)} of the replay for WAL"
    return Item("7. Measure recovery time and replay rate", "done", said, HOLDFAST, ended(steps.named(RECOVER)))
