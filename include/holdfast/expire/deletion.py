"""One thing that expire lets go."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Deletion:
    """A restore point, an export or a drill's evidence, or the remnant of one, that goes (in a dry run: would go)."""

    id: str
    reason: str
    bytes: int
    is_remnant: bool
