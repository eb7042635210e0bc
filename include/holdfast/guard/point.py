"""The points of the examination: how to look at each, and how to mend it where that can be done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from holdfast.errors import HoldfastError
from holdfast.storage.buckets import NotOffered
from holdfast.values.check import Check, attempt


@dataclass(frozen=True, slots=True)
class Point:
    """``look`` only reads; ``mend`` changes what it found wrong. ``is_optional``: not every store can do it."""

    name: str
    look: Callable[[], Check | str]
    mend: Callable[[], None] | None = None
    is_optional: bool = True

    def check(self) -> Check:
        """The verdict today."""
        return attempt(self.name, self._seen)

    def _seen(self) -> Check | str:
        try:
            return self.look()
        except NotOffered as error:
            if not self.is_optional:
                raise
            return Check(self.name, "warning", "the store does not offer this", error.hint)


def checked(points: Sequence[Point]) -> list[Check]:
    """Look at each."""
    return [point.check() for point in points]


def applied(points: Sequence[Point]) -> list[Check]:
    """Mend what has failed, then look at all again; mending one may have mended another."""
    before = checked(points)
    errors: dict[str, HoldfastError] = {}
    for point, seen in zip(points, before, strict=True):
        if seen.verdict == "failed" and point.mend is not None:
            try:
                point.mend()
            except HoldfastError as error:
                errors[point.name] = error
    return [_told(was, now, errors.get(now.name)) for was, now in zip(before, checked(points), strict=True)]


def _told(was: Check, now: Check, error: HoldfastError | None) -> Check:
    if was.verdict != "failed":
        return now
    if now.verdict != "failed":
        return replace(now, text=f"mended: {now.text}")
    if error is None:
        return now
    return replace(now, text=f"{now.text}; could not be mended: {error.message}", hint=error.hint or now.hint)
