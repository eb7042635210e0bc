"""The windows of time that could be recovered, drawn as bars, with the instant that was chosen."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from holdfast.evidence import instants
from holdfast.evidence.figures import moment
from holdfast.evidence.page.html import Html, section, tag
from holdfast.manifest.evidence import Evidence
from holdfast.manifest.pitr import PitrTried, PitrWindow
from holdfast.values import figures

_ROW = 22
_BAR = 14
_NEAR_THE_END = 0.6
_SHOWN = 20


def window_section(evidence: Evidence) -> Html:
    """One bar for each timeline, its windows on one scale of time; nothing where no instant was chosen."""
    tried = evidence.pitr
    if tried is None:
        return Html()
    begins, ends = _scale(tried)
    said = (
        f"{instants.precise(evidence)}, {'drawn at random from' if tried.is_drawn else 'named, within'} what could be "
        f"recovered then: {figures.seconds(_recoverable(tried))} in {_counted(len(tried.windows))}."
    )
    return section(
        "Window",
        tag(
            "figure",
            tag("figcaption", said),
            _chart(tried, begins, ends),
            tag("div", tag("span", moment(begins)), tag("span", moment(ends)), class_="ends"),
        ),
    )


def _chart(tried: PitrTried, begins: datetime, ends: datetime) -> Html:
    timelines = sorted({window.timeline for window in tried.windows} | {tried.window.timeline})[-_SHOWN:]
    height = len(timelines) * _ROW + 22
    label = (
        f"From {moment(begins)} to {moment(ends)}, timelines {', '.join(map(str, timelines))}; "
        f"chosen: {tried.instant.isoformat()} on timeline {tried.timeline}"
    )
    drawn = [*_bars(tried, timelines, begins, ends), *_choice(tried, begins, ends, len(timelines) * _ROW)]
    return tag("svg", drawn, role="img", aria_label=label, height=height)


def _bars(tried: PitrTried, timelines: list[int], begins: datetime, ends: datetime) -> Iterator[Html]:
    for row, timeline in enumerate(timelines):
        y = row * _ROW + 4
        yield tag("rect", x=0, y=y, width="100%", height=_BAR, rx=3, class_="track")
        for window in (*tried.windows, tried.window):
            if window.timeline == timeline:
                start, end = (_place(at, begins, ends) for at in (window.begins_at, _end(window)))
                colour = "one" if _is_chosen(window, tried) else "two"
                width = _per_cent(max(end - start, 0.003))
                yield tag("rect", x=_per_cent(start), y=y, width=width, height=_BAR, class_=colour)


def _choice(tried: PitrTried, begins: datetime, ends: datetime, bottom: int) -> Iterator[Html]:
    at = _place(tried.instant, begins, ends)
    yield tag("line", x1=_per_cent(at), x2=_per_cent(at), y1=0, y2=bottom + 4, class_="limit")
    anchor = "end" if at > _NEAR_THE_END else "start"
    yield tag("text", tried.instant.isoformat(), x=_per_cent(at), y=bottom + 18, text_anchor=anchor)


def _is_chosen(window: PitrWindow, tried: PitrTried) -> bool:
    return window == tried.window


def _scale(tried: PitrTried) -> tuple[datetime, datetime]:
    """From the first window to the last, the instant always within."""
    windows = (*tried.windows, tried.window)
    begins = min(tried.instant, *(window.begins_at for window in windows))
    return begins, max(tried.instant, *map(_end, windows))


def _end(window: PitrWindow) -> datetime:
    return window.ends_at or window.begins_at


def _recoverable(tried: PitrTried) -> float:
    return sum((_end(window) - window.begins_at).total_seconds() for window in tried.windows)


def _counted(windows: int) -> str:
    return f"{windows} windows" if windows != 1 else "1 window"


def _place(at: datetime, begins: datetime, ends: datetime) -> float:
    whole = (ends - begins).total_seconds()
    return (at - begins).total_seconds() / whole if whole > 0 else 0.5


def _per_cent(share: float) -> str:
    return f"{share * 100:.3f}%"
