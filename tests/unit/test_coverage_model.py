"""How far base backups reach and what is missing, against a model that looks at every quarter of a segment alone."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import example, given
from hypothesis import strategies as st

from holdfast.values.lsn import Lsn
from holdfast.wal.coverage import BaseSpan, StoredWal, measure
from holdfast.wal.timelines import TimelineHistory

SIZE = 1 << 20
QUARTER = SIZE // 4
SEGMENTS = 8


@dataclass(frozen=True)
class World:
    """Timelines, the quarters stored of each one's segments, and base backups; positions are in quarters."""

    histories: dict[int, tuple[tuple[int, int], ...]]
    stored: dict[tuple[int, int], int]
    bases: tuple[tuple[int, int, int], ...]

    def path(self, timeline: int) -> TimelineHistory:
        return TimelineHistory(timeline, tuple((one, Lsn(at * QUARTER)) for one, at in self.histories[timeline]))

    def wal(self) -> StoredWal:
        known = {at: quarters * QUARTER for at, quarters in self.stored.items()}
        return StoredWal(SIZE, known, {timeline: self.path(timeline) for timeline in self.histories})

    def spans(self) -> list[BaseSpan]:
        return [
            BaseSpan(f"base {index}", timeline, Lsn(start * QUARTER), Lsn(stop * QUARTER))
            for index, (timeline, start, stop) in enumerate(self.bases)
        ]

    def used(self) -> list[int]:
        """Timelines of which anything is known."""
        return sorted({timeline for timeline, _ in self.stored} | {timeline for timeline, _, _ in self.bases})

    def owner(self, timeline: int, quarter: int) -> int:
        """Who wrote that quarter on the way to ``timeline``."""
        return next((one for one, left in self.histories[timeline] if quarter < left), timeline)

    def has(self, timeline: int, quarter: int) -> bool:
        """Can that quarter be had on the way to ``timeline``?"""
        switches = self.histories[timeline]
        begins = [0, *(left for _, left in switches)]
        for (one, left), begin in zip([*switches, (timeline, 1 << 30)], begins, strict=True):
            is_its = begin // 4 <= quarter // 4 and quarter < left
            if is_its and quarter % 4 < self.stored.get((one, quarter // 4), 0):
                return True
        return False

    def leads(self, base: tuple[int, int, int], timeline: int) -> bool:
        left = dict(self.histories[timeline]).get(base[0], -1)
        return base[0] == timeline or base[2] <= left

    def reached(self, base: tuple[int, int, int], timeline: int) -> int | None:
        """The quarter behind the last that follows without a gap."""
        if not self.leads(base, timeline):
            return None
        quarter = base[1] // 4 * 4
        while self.has(timeline, quarter):
            quarter += 1
        return quarter if quarter >= base[2] else None

    def reaches(self) -> set[tuple[str, int, int]]:
        """Those that hold something that no other of the same base backup holds; of equals the elder timeline's."""
        found = set()
        for index, base in enumerate(self.bases):
            ends = {timeline: end for timeline in self.used() if (end := self.reached(base, timeline)) is not None}
            held = {
                timeline: frozenset((self.owner(timeline, quarter), quarter) for quarter in range(end))
                for timeline, end in ends.items()
            }
            for timeline, own in held.items():
                others = [(other, its) for other, its in held.items() if other != timeline]
                if not any(own < its or (own == its and other < timeline) for other, its in others):
                    found.add((f"base {index}", timeline, ends[timeline]))
        return found

    def missing(self) -> set[tuple[int, int]]:
        """(timeline in the segment's name, quarter) of all that lacks between what is needed and the newest."""
        found = set()
        for timeline in self.used():
            bases = [base for base in self.bases if self.leads(base, timeline)]
            if not bases:
                continue
            first = min(start for _, start, _ in bases) // 4
            numbers = [number for number in range(SEGMENTS + 2) if self.has(timeline, number * 4)]
            newest = max(numbers, default=-1)
            needed = max(stop for _, _, stop in bases)
            for number in range(first, SEGMENTS + 2):
                lacking = [q for q in range(number * 4, number * 4 + 4) if not self.has(timeline, q)]
                is_needed = any(quarter < needed for quarter in lacking)
                # The rest of the open segment is not missing, unless a base backup cannot do without.
                if number < newest or is_needed:
                    name = self.path(timeline).segment(number, SIZE).timeline
                    found |= {(name, quarter) for quarter in lacking}
        return found


@st.composite
def worlds(draw: st.DrawFn) -> World:
    histories: dict[int, tuple[tuple[int, int], ...]] = {1: ()}
    for timeline in range(2, 2 + draw(st.integers(0, 3))):
        parent = draw(st.sampled_from(sorted(histories)))
        begins = histories[parent][-1][1] if histories[parent] else 0
        histories[timeline] = (*histories[parent], (parent, draw(st.integers(begins, SEGMENTS * 4))))
    stored: dict[tuple[int, int], int] = {}
    for timeline, switches in histories.items():
        first = switches[-1][1] // 4 if switches else 0
        for number in range(first, SEGMENTS):
            quarters = draw(st.sampled_from([4, 4, 4, 4, 0, 1, 3]))
            if quarters:
                stored[timeline, number] = quarters
    bases = []
    for _ in range(draw(st.integers(0, 3))):
        timeline = draw(st.sampled_from(sorted(histories)))
        begins = histories[timeline][-1][1] if histories[timeline] else 0
        start = draw(st.integers(begins, SEGMENTS * 4))
        bases.append((timeline, start, start + draw(st.integers(1, 6))))
    return World(histories, stored, tuple(bases))


FAILOVER = World(
    {1: (), 2: ((1, 10),)},
    {(1, 0): 4, (1, 1): 4, (1, 2): 2, (2, 2): 4, (2, 3): 3},
    ((1, 1, 2),),
)
WENT_ON = World(
    {1: (), 2: ((1, 6),)},
    {(1, 0): 4, (1, 1): 4, (1, 2): 4, (2, 1): 4, (2, 2): 1},
    ((1, 1, 2),),
)


@given(worlds())
@example(FAILOVER)
@example(WENT_ON)
def test_every_base_backup_reaches_as_far_as_the_model_says(world: World) -> None:
    """Along every timeline, without those that tell nothing more."""
    found = measure(world.wal(), world.spans()).reaches
    assert {(one.base, one.timeline, one.end_lsn.value // QUARTER) for one in found} == world.reaches()


@given(worlds())
@example(FAILOVER)
@example(WENT_ON)
def test_holes_are_what_the_model_misses(world: World) -> None:
    """Each quarter once, under the name of the segment that would hold it."""
    holes = measure(world.wal(), world.spans()).holes
    found = [
        (hole.first.timeline, quarter)
        for hole in holes
        for quarter in range(hole.start_lsn.value // QUARTER, hole.end_lsn.value // QUARTER)
    ]
    assert len(found) == len(set(found))
    assert set(found) == world.missing()


@given(worlds())
def test_timelines_without_a_base_backup_are_told(world: World) -> None:
    """Their WAL serves nothing."""
    expected = {one for one in world.used() if not any(world.leads(base, one) for base in world.bases)}
    assert set(measure(world.wal(), world.spans()).unreachable) == expected
