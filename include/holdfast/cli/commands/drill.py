"""``holdfast drill``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from holdfast.cli.arguments import environment_arguments, json_option, opened
from holdfast.cli.login import login_name
from holdfast.cli.output import FAILED, Failure, emit
from holdfast.cli.progress import reporter
from holdfast.values import figures
from holdfast.values.visible import visible

if TYPE_CHECKING:
    from holdfast.drill import EvidenceFacts
    from holdfast.manifest.evidence import Evidence, Step


@click.command("drill")
@environment_arguments
@click.argument("id", metavar="[ID]", required=False)
@click.option(
    "--media",
    type=click.Choice(["none", "sample", "all"]),
    default="sample",
    show_default=True,
    help="How much of the media is restored.",
)
@click.option("--reason", metavar="TEXT", help="Why; it stands in the evidence.")
@json_option
def drill_command(
    policy: Path, environment: str, id: str | None, media: str, reason: str | None, as_json: bool
) -> None:
    """Restore ID (the newest restore point where it is left out) for real, check it, and leave signed evidence.

    It takes place in a recovery environment that is removed at the end; the live database is never touched. Nobody is
    asked for approval, and the evidence says so. Exit status 1 when the drill failed.
    """
    from holdfast.drill import run_drill
    from holdfast.evidence import read_evidence
    from holdfast.values.ids import RestorePointId

    place = opened(policy, environment)
    facts = run_drill(
        place,
        None if id is None else RestorePointId.parse(id),
        media=media,  # type: ignore[arg-type]
        reason=reason,
        requested_by=login_name(),
        progress=reporter(),
    )
    if as_json:
        emit(facts.as_json())
    else:
        _show(facts, read_evidence(place, RestorePointId.parse(facts.id)))
    if facts.verdict != "passed":
        raise Failure(FAILED)


def _show(facts: EvidenceFacts, evidence: Evidence) -> None:
    for step in evidence.steps:
        click.echo(_line(step))
    for name in evidence.steps_not_run:
        click.echo(f"- {name}: not run")
    seconds = (
        "not restored" if facts.restore_seconds is None else f"restored in {figures.seconds(facts.restore_seconds)}"
    )
    target = "" if evidence.rto_seconds is None else f" (objective: {figures.seconds(evidence.rto_seconds)})"
    click.echo(f"drill of {facts.restore_point}: {facts.verdict}, {seconds}{target}")
    click.echo(f"evidence: {facts.key}")


def _line(step: Step) -> str:
    mark = "✓" if step.outcome == "passed" else "✗"
    findings = "".join(f"\n    {finding.about}: {visible(finding.text)}" for finding in step.findings)
    return f"{mark} {visible(step.title)}: {figures.seconds(step.seconds)}{findings}"
