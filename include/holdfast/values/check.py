"""The verdict on one thing that was looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from holdfast.errors import HoldfastError


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at, how it is, and, where it is not well, what to do.

    ``is_blocking``: a failure of which a backup is not to be taken: it would be no secret, or not independent.
    """

    name: str
    verdict: Literal["ok", "warning", "failed"]
    text: str
    hint: str | None = None
    is_blocking: bool = False

    def as_json(self) -> dict[str, object]:
        """The check as an object of plain values."""
        return {"name": self.name, "verdict": self.verdict, "text": self.text, "hint": self.hint}


def attempt(name: str, look: Callable[[], Check | str]) -> Check:
    """Run one look; what it raises on purpose becomes a failed check, so that the others still run."""
    try:
        seen = look()
    except HoldfastError as error:
        return Check(name, "failed", error.message, error.hint)
    return seen if isinstance(seen, Check) else Check(name, "ok", seen)
