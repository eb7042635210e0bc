"""Where to begin: what the store still wants, what the slot holds for certain, what else the server may have."""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass

from holdfast.values.lsn import Lsn
from holdfast.values.wal_names import WalSegment
from holdfast.wal.timelines import TimelineHistory


@dataclass(frozen=True, slots=True)
class Start:
    """``number`` of the first segment to receive, ``held`` of the first that the slot holds.

    ``missing`` are those before ``number`` that the store lacks and nobody has: from the first to the last.
    """

    number: int
    held: int
    missing: tuple[WalSegment, WalSegment] | None = None

    def unstored(self, pending: Iterable[int]) -> int:
        """The first segment that is not stored, when those ``pending`` are on their way: the slot must not pass it.

        What the slot does not hold, it cannot keep either.
        """
        lowest = min(self.held, self.number)
        return min([number for number in pending if lowest <= number], default=self.number)

    @property
    def gap(self) -> str | None:
        """What is lost, for people."""
        if self.missing is None:
            return None
        first, last = self.missing
        what = f"segment {first}" if first == last else f"segments {first} to {last}"
        return (
            f"WAL {what} ({first.start} to {last.end}) was removed from the source before it was stored: nothing in it "
            "can be recovered, and what came after it only from a new base backup"
        )


def plan_start(
    history: TimelineHistory,
    held_from: Lsn,
    size_bytes: int,
    *,
    stored: Set[str],
    begun: Set[str],
    on_server: Set[str] | None,
) -> Start:
    """Decide it from the names of segments: stored ones, those whose beginning is, those that the server has.

    ``held_from`` is the slot's position: from there on the server has all. What the store lacks between its newest
    segment before that and there is wanted, too. With ``on_server`` None it is assumed to be there.
    """
    held = held_from.value // size_bytes

    def is_stored(number: int) -> bool:
        return history.segment(number, size_bytes).name in stored

    def known(names: Set[str]) -> list[int]:
        found = [WalSegment.parse(name, size_bytes) for name in names]
        return [
            each.number for each in found if each.number <= held and history.segment(each.number, size_bytes) == each
        ]

    wanted = max([number + 1 for number in known(stored)] + known(begun), default=held)
    while is_stored(wanted):
        wanted += 1
    if wanted >= held:
        return Start(wanted, held)
    if on_server is None:
        return Start(wanted, held)
    first = held
    while first > wanted and any(each.name in on_server for each in history.candidates(first - 1, size_bytes)):
        first -= 1
    if first == wanted:
        return Start(first, held)
    missing = (history.segment(wanted, size_bytes), history.segment(first - 1, size_bytes))
    return Start(first, held, missing)
