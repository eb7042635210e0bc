"""What one step or check of a drill found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from holdfast.manifest.evidence import Fact, Finding


@dataclass(frozen=True, slots=True)
class Outcome:
    """Findings (none: it passed), notes that are no fault, and small figures for people."""

    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    facts: Mapping[str, Fact] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Was everything as it must be?"""
        return not self.findings

    @classmethod
    def merged(cls, outcomes: Iterable[Outcome]) -> Outcome:
        """All of them as one, in order; a later fact of the same name wins."""
        each = tuple(outcomes)
        return cls(
            tuple(finding for outcome in each for finding in outcome.findings),
            tuple(note for outcome in each for note in outcome.notes),
            {name: fact for outcome in each for name, fact in outcome.facts.items()},
        )


def blames_backup(text: str) -> Finding:
    """The restore point is to blame, or may be."""
    return Finding(about="backup", text=text)


def blames_drill(text: str) -> Finding:
    """The drill's own surroundings are to blame: nothing is said about the backup."""
    return Finding(about="drill", text=text)


def blames_operation(text: str) -> Finding:
    """What was to be done to the live application could not be done, or was refused."""
    return Finding(about="operation", text=text)
