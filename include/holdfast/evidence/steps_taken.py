"""Which steps a drill took: looked up by their names, the application's own commands apart."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from holdfast.manifest.evidence import Evidence, Step

State = Literal["done", "failed", "not run", "not asked for", "not part of a drill", "not part of this", "waiting"]

ENVIRONMENT = "recovery_environment"
DATABASE = "restore_database"
COUNTS = "check_database"
MEDIA = "restore_media"
SETTINGS = "recovery_settings"
QUERIES = "queries"
RTO = "rto"
_FIXED = frozenset((ENVIRONMENT, DATABASE, COUNTS, MEDIA, SETTINGS, QUERIES, RTO))


@dataclass(frozen=True, slots=True)
class StepsTaken:
    """The steps of one drill."""

    evidence: Evidence

    def named(self, *names: str) -> tuple[Step, ...]:
        """Those of these names that were taken, in order."""
        return tuple(step for step in self.evidence.steps if step.name in names)

    @property
    def commands(self) -> tuple[Step, ...]:
        """The application's own commands."""
        return tuple(step for step in self.evidence.steps if step.name not in _FIXED)

    @property
    def commands_not_run(self) -> tuple[str, ...]:
        """The names of commands that an earlier failure left out."""
        return tuple(name for name in self.evidence.steps_not_run if name not in _FIXED)

    def state(self, *names: str) -> State:
        """What became of these steps together."""
        return state_of(self.named(*names), (name for name in names if name in self.evidence.steps_not_run))

    @property
    def state_of_commands(self) -> State:
        """What became of the application's own commands together."""
        return state_of(self.commands, self.commands_not_run)


def state_of(taken: Iterable[Step], not_run: Iterable[str]) -> State:
    """Failed as soon as one has, done only where all are."""
    steps = tuple(taken)
    if any(step.outcome == "failed" for step in steps):
        return "failed"
    if any(True for _ in not_run):
        return "not run"
    return "done" if steps else "not asked for"


def ended(steps: Iterable[Step]) -> datetime | None:
    """When the last of them ended."""
    return max((step.started_at + timedelta(seconds=step.seconds) for step in steps), default=None)
