"""The chart of step times: all of them stacked against the RTO, and each in its turn."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

from holdfast.evidence.figures import share_of_rto
from holdfast.evidence.page import words
from holdfast.evidence.page.html import Html, joined, section, tag
from holdfast.manifest.evidence import Evidence, Step
from holdfast.values import figures

_NEAR_THE_END = 0.7


def time_section(evidence: Evidence) -> Html:
    """Restore time against RTO, and where it went; nothing where no step was taken."""
    timed = [step for step in evidence.steps if step.seconds > 0]
    if not timed:
        return Html()
    return section(
        "Time",
        tag("figure", tag("figcaption", _caption(evidence)), _stack(evidence, timed)),
        tag("figure", tag("figcaption", "Each step in its turn"), tag("div", _turns(timed), class_="bars")),
    )


def _caption(evidence: Evidence) -> str:
    took = f"All steps together took {figures.seconds(sum(step.seconds for step in evidence.steps))}."
    if not evidence.is_drill:
        return took
    if evidence.restore_seconds is None:
        return f"{took} The restore did not come to its end."
    counted = f"{took} {figures.seconds(evidence.restore_seconds)} of that count as restore time"
    share = share_of_rto(evidence)
    if share is None:
        return f"{counted}; the policy names no RTO."
    return f"{counted}: {words.share(share)} of the RTO of {figures.seconds(evidence.rto_seconds or 0)}."


def _stack(evidence: Evidence, steps: list[Step]) -> Html:
    """One bar on a scale that reaches to the RTO, or to the end of the steps where that is further."""
    total = sum(step.seconds for step in steps)
    limit = evidence.rto_seconds
    scale = max(total, limit or 0.0) * 1.02
    bars: list[Html] = [tag("rect", x=0, y=8, width="100%", height=26, rx=3, class_="track")]
    for number, (step, start) in enumerate(zip(steps, _starts(steps), strict=True)):
        bars.append(_bar(step, start / scale, step.seconds / scale, number, y=8, height=26))
    if limit is not None:
        bars += _limit(limit, limit / scale)
    said = f"Steps stacked: {figures.seconds(total)}"
    said += f"; RTO: {figures.seconds(limit)}" if limit is not None else ""
    return tag("svg", bars, role="img", aria_label=said, height=56 if limit is not None else 36)


def _limit(seconds: float, at: float) -> Iterator[Html]:
    yield tag("line", x1=_per_cent(at), x2=_per_cent(at), y1=2, y2=40, class_="limit")
    anchor = "end" if at > _NEAR_THE_END else "start"
    yield tag("text", f"RTO {figures.seconds(seconds)}", x=_per_cent(at), y=54, text_anchor=anchor)


def _turns(steps: list[Step]) -> Iterator[Html]:
    total = sum(step.seconds for step in steps)
    for number, (step, start) in enumerate(zip(steps, _starts(steps), strict=True)):
        took = figures.seconds(step.seconds)
        is_failed = step.outcome == "failed"
        yield tag("span", step.title)
        yield tag(
            "svg",
            tag("rect", x=0, y=2, width="100%", height=12, rx=2, class_="track"),
            _bar(step, start / total, step.seconds / total, number, y=2, height=12),
            role="img",
            aria_label=f"{step.title}: {took}, {step.outcome}",
            height=16,
        )
        yield tag("span", joined("✗ ", took) if is_failed else took, class_="figure off" if is_failed else "figure")


def _bar(step: Step, start: float, width: float, number: int, *, y: int, height: int) -> Html:
    colour = "bad-fill" if step.outcome == "failed" else ("one", "two")[number % 2]
    return tag(
        "rect",
        x=_per_cent(start),
        y=y,
        # What is too short to be drawn to scale still shows.
        width=_per_cent(max(width, 0.002)),
        height=height,
        class_=colour,
    )


def _starts(steps: list[Step]) -> list[float]:
    """Where each begins when they follow one another without a pause."""
    return [0.0, *accumulate(step.seconds for step in steps[:-1])]


def _per_cent(share: float) -> str:
    return f"{share * 100:.3f}%"
