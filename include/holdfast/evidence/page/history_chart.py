"""Stored size and rows against those of earlier restore points of the tier."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from statistics import median

from holdfast.evidence.figures import day
from holdfast.evidence.page import words
from holdfast.evidence.page.html import Html, folded, section, table, tag
from holdfast.manifest.evidence import Evidence, HistoryPoint
from holdfast.values import figures
from holdfast.values.ids import RestorePointId

_SHOWN = 40
_HEIGHT = 110
_WIDEST = 0.2


def history_section(evidence: Evidence) -> Html:
    """Two small charts and their figures; nothing where there is no history."""
    points = evidence.history[-_SHOWN:]
    if not points:
        return Html()
    sizes = _chart("Stored size", points, evidence.restore_point, lambda point: point.bytes, figures.size)
    rows = _chart("Rows", points, evidence.restore_point, lambda point: point.rows, figures.count)
    return section(
        "Against history",
        tag("div", sizes, rows, class_="pair"),
        folded(
            "The restore points as figures",
            table(
                ("restore point", "stored size", "rows"),
                (
                    (words.code(point.id), figures.size(point.bytes), figures.count(point.rows))
                    for point in reversed(points)
                ),
                figures_in=(1, 2),
            ),
        ),
    )


def _chart(
    title: str,
    points: Sequence[HistoryPoint],
    tried: str,
    value_of: Callable[[HistoryPoint], int],
    worded: Callable[[int], str],
) -> Html:
    values = [value_of(point) for point in points]
    said = _said(points, tried, value_of, worded)
    return tag(
        "figure",
        tag("figcaption", tag("b", title), f" {said}"),
        tag("svg", _columns(points, values, tried), role="img", aria_label=f"{title}: {said}", height=_HEIGHT),
        tag("div", (tag("span", _day(point)) for point in (points[0], *points[1:][-1:])), class_="ends"),
    )


def _said(
    points: Sequence[HistoryPoint],
    tried: str,
    value_of: Callable[[HistoryPoint], int],
    worded: Callable[[int], str],
) -> str:
    own = next((value_of(point) for point in points if point.id == tried), None)
    earlier = [value_of(point) for point in points if point.id != tried]
    if not earlier:
        return f"{worded(own or 0)}; no earlier restore point to compare with."
    usual = int(median(earlier))
    if own is None:
        return f"of {len(earlier)} restore points, median {worded(usual)}."
    change = f"{(own - usual) / usual:+.1%} against" if usual else "more than" if own else "as"
    return f"{worded(own)}, {change} the median of {len(earlier)} earlier ones."


def _columns(points: Sequence[HistoryPoint], values: Sequence[int], tried: str) -> Iterator[Html]:
    most = max(values) or 1
    slot = min(1 / len(points), _WIDEST)
    for number, (point, value) in enumerate(zip(points, values, strict=True)):
        height = max(round(value / most * (_HEIGHT - 4)), 1)
        yield tag(
            "rect",
            x=f"{(number + 0.1) * slot * 100:.3f}%",
            y=_HEIGHT - height,
            width=f"{slot * 80:.3f}%",
            height=height,
            class_="one" if point.id == tried else "two",
        )
    if len(points) > 1:
        y = _HEIGHT - round(median(values) / most * (_HEIGHT - 4))
        yield tag("line", x1=0, x2="100%", y1=y, y2=y, class_="median")


def _day(point: HistoryPoint) -> str:
    id = RestorePointId.recognised(point.id)
    return day(id.opened_at) if id is not None else point.id
