"""What an auditor reads next: the surroundings, the settings, and every step with all that it noted."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.evidence import steps_taken
from holdfast.evidence.figures import moment, worded_facts
from holdfast.evidence.page import words
from holdfast.evidence.page.html import Html, folded, joined, section, table, tag
from holdfast.evidence.steps_taken import StepsTaken
from holdfast.manifest.evidence import Confinement, Evidence, Step
from holdfast.values import figures

_NOTES_SHOWN = 200


def surroundings(evidence: Evidence) -> Html:
    """The server, and what the application's commands could reach."""
    around = evidence.surroundings
    if around is None:
        return section("Surroundings", tag("p", "No server was ready."))
    major = "yes" if around.is_same_major else f"no: the source has PostgreSQL {evidence.source_version}"
    rows: list[tuple[str, str]] = [
        ("Server", f"PostgreSQL {around.server_version}"),
        ("Same major version as the source", major),
        ("Kind", "made for this alone and thrown away" if around.is_throwaway else "the policy's recovery server"),
        ("Ready after", figures.seconds(around.ready_seconds)),
        *_network(around.confinement),
    ]
    return section("Surroundings", tag("dl", (joined(tag("dt", name), tag("dd", value)) for name, value in rows)))


def _network(confinement: Confinement | None) -> Iterator[tuple[str, str]]:
    if confinement is None:
        yield "Network of commands", "no command of the application was run"
        return
    yield "Network of commands", words.NETWORK[confinement.network]
    yield "Interfaces seen inside", joined(_codes(confinement.interfaces))
    yield "Routes seen inside", joined(_codes(confinement.routes))


def _codes(values: tuple[str, ...]) -> Iterator[str]:
    if not values:
        yield "none"
    for number, value in enumerate(values):
        yield from ([", "] if number else [])
        yield words.code(value)


def settings(evidence: Evidence) -> Html:
    """The temporary settings that the application's commands got; nothing where there were none."""
    steps = StepsTaken(evidence).named(steps_taken.SETTINGS)
    facts = [(words.code(name), str(value)) for step in steps for name, value in step.facts.items()]
    return section("Temporary recovery settings", table(("variable", "value"), facts)) if facts else Html()


def steps(evidence: Evidence) -> Html:
    """Every step: when, how long, what it saw."""
    return section(
        "Steps", (_step(step) for step in evidence.steps), (_not_run(name) for name in evidence.steps_not_run)
    )


def _step(step: Step) -> Html:
    is_passed = step.outcome == "passed"
    chip = tag("span", "passed" if is_passed else "failed", class_="chip ok" if is_passed else "chip bad")
    when = f"{moment(step.started_at)}, {figures.seconds(step.seconds)}"
    seen = " · ".join(f"{name}: {value}" for name, value in worded_facts(step))
    shown = step.name != steps_taken.SETTINGS
    return tag(
        "div",
        chip,
        tag("div", step.title, tag("small", when), tag("small", seen) if seen and shown else "", _said(step)),
        class_="item",
    )


def _said(step: Step) -> Html:
    if not step.notes and not step.findings:
        return Html()
    shown = [*(finding.text for finding in step.findings), *step.notes][:_NOTES_SHOWN]
    rest = len(step.notes) + len(step.findings) - len(shown)
    lines = [tag("li", line) for line in shown] + ([tag("li", f"… and {rest} more")] if rest else [])
    number = len(step.notes) + len(step.findings)
    return folded(
        f"{number} lines" if number != 1 else "1 line",
        tag("ul", lines, class_="notes"),
        is_open=step.outcome == "failed",
    )


def _not_run(name: str) -> Html:
    return tag("div", tag("span", "not run", class_="chip"), tag("div", words.code(name)), class_="item")
