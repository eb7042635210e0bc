"""Draws what can be recovered as bars over time, one for each timeline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.catalog.coverage import Coverage, Stretch

_LEAST_WIDTH = 10
_LONG = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Signs:
    """What a cell of a bar shows: nothing there, recoverable, missing between two windows, a base backup's end."""

    nothing: str
    covered: str
    missing: str
    base: str

    @classmethod
    def for_encoding(cls, encoding: str | None) -> Signs:
        """Drawn ones where the terminal can show them, else of ASCII."""
        try:
            "─━┆◆".encode(encoding or "ascii")
        except (UnicodeEncodeError, LookupError):
            return cls(".", "=", "x", "#")
        return cls("─", "━", "┆", "◆")


def bars(coverage: Coverage, now: datetime, width: int, signs: Signs) -> Iterator[str]:
    """The lines: a bar for each timeline, oldest begin first, then the scale, and what the signs mean."""
    stretches = coverage.stretches
    if not stretches:
        return
    groups: dict[tuple[str, int], list[Stretch]] = {}
    for stretch in stretches:
        groups.setdefault((stretch.system_identifier, stretch.timeline), []).append(stretch)
    has_clusters = len({system for system, _ in groups}) > 1
    labels = {key: f"cluster {key[0]} timeline {key[1]}" if has_clusters else f"timeline {key[1]}" for key in groups}
    indent = max(map(len, labels.values())) + 2
    scale = _Scale(stretches[0].begins_at, max(now, *_ends(stretches)), max(_LEAST_WIDTH, width - indent))
    bases = {base.id: base.finished_at for base in coverage.base_backups}
    for key, group in groups.items():
        yield labels[key].ljust(indent) + _bar(group, bases, scale, signs)
    yield " " * indent + scale.legend(now)
    said = [f"{signs.covered} recoverable", f"{signs.base} base backup", f"{signs.nothing} not recoverable"]
    if any(len(group) > 1 for group in groups.values()):
        said.append(f"{signs.missing} gap")
    yield " " * indent + "   ".join(said)


@dataclass(frozen=True, slots=True)
class _Scale:
    """Cells of equal time from ``begins`` to ``ends``."""

    begins: datetime
    ends: datetime
    width: int

    def cell(self, moment: datetime) -> int:
        """In which cell an instant lies."""
        whole = (self.ends - self.begins).total_seconds()
        share = (moment - self.begins).total_seconds() / whole if whole > 0 else 0.0
        return min(self.width - 1, max(0, int(share * self.width)))

    def legend(self, now: datetime) -> str:
        """The instants at its ends."""
        pattern = "%Y-%m-%d %H:%M" if self.ends - self.begins < _LONG else "%Y-%m-%d"
        first, last = self.begins.astimezone(now.tzinfo).strftime(pattern), "now" if self.ends == now else "newest"
        return first + last.rjust(max(len(last) + 1, self.width - len(first)))


def _bar(stretches: Sequence[Stretch], bases: dict[str, datetime], scale: _Scale, signs: Signs) -> str:
    cells = [signs.nothing] * scale.width
    before: int | None = None
    for stretch in stretches:
        first, last = scale.cell(stretch.begins_at), scale.cell(stretch.ends_at or stretch.begins_at)
        cells[first : last + 1] = [signs.covered] * (last + 1 - first)
        for id in stretch.base_backups:
            cells[scale.cell(bases.get(id, stretch.begins_at))] = signs.base
        if before is not None:
            # However short it is, it is to be seen.
            cells[before + 1 : first] = [signs.missing] * (first - before - 1)
            if first - before < 2:
                cells[before] = signs.missing
        before = last
    return "".join(cells)


def _ends(stretches: Sequence[Stretch]) -> list[datetime]:
    return [stretch.ends_at or stretch.begins_at for stretch in stretches]
