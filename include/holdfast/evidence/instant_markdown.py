"""What the approval gate shows of a recovery to an instant: its verdict, in words, and what it comes to."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.evidence import instants
from holdfast.evidence.visible import code, prose
from holdfast.manifest.evidence import Evidence


def instant_verdict(evidence: Evidence) -> str:
    """The heading, and what it means."""
    kind = "PITR drill" if evidence.kind == "pitr_drill" else "PITR check"
    place = prose(f"{evidence.app}/{evidence.environment}")
    if evidence.verdict == "passed":
        return f"## ✓ {kind} PASSED\n\n{place}: {prose(instants.meaning(evidence))}"
    return f"## ✗ {kind} FAILED\n\n**{place}: {prose(instants.meaning(evidence))}**"


def instant_facts(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Rows of the table: what was tried, and how the replay went."""
    tried = evidence.pitr
    for name, value in instants.figures_of(evidence):
        yield name, prose(value)
    if tried is not None:
        yield "cluster", f"system identifier {code(tried.system_identifier)}"


INSTANT_APPROVED = (
    "### What your answer means\n\nApproving records, signed and under your name, that you have read this evidence "
    "and that the cluster can be recovered as it says. It changes nothing that is live. Rejecting needs a reason "
    "and ends the drill without approval."
)
