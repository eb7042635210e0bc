"""``holdfast drill``."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from holdfast.cli.arguments import environment_arguments, json_option, moment, opened
from holdfast.cli.auditing import told
from holdfast.cli.login import login_name
from holdfast.cli.output import FAILED, Failure, emit
from holdfast.cli.progress import reporter
from holdfast.errors import UsageError
from holdfast.values import figures
from holdfast.values.visible import visible

if TYPE_CHECKING:
    from holdfast.drill import EvidenceFacts
    from holdfast.environment import Environment
    from holdfast.manifest.evidence import Evidence, Step


@click.command("drill")
@environment_arguments
@click.argument("id", metavar="[ID]", required=False)
@click.option(
    "--media",
    type=click.Choice(["none", "sample", "all"]),
    help="How much of the media is restored (sample where it is left out).",
)
@click.option("--pitr", "is_pitr", is_flag=True, help="Recover the whole cluster to an instant, from its WAL.")
@click.option("--to", "to", metavar="TIMESTAMP", help="With --pitr: the instant, with its UTC offset; random if unset.")
@click.option("--reason", metavar="TEXT", help="Why; it stands in the evidence.")
@json_option
def drill_command(
    policy: Path,
    environment: str,
    id: str | None,
    media: str | None,
    is_pitr: bool,
    to: str | None,
    reason: str | None,
    as_json: bool,
) -> None:
    """Restore ID (the newest restore point where it is left out) for real, check it, and leave signed evidence.

    With --pitr, a base backup and the WAL behind it are brought to an instant instead. It takes place in a recovery
    environment that is removed at the end; the live database is never touched. Nobody is asked for approval, and the
    evidence says so. Exit status 1 when the drill failed.
    """
    from holdfast.evidence import read_evidence
    from holdfast.values.ids import RestorePointId

    _demand_fitting(id, media, is_pitr=is_pitr, to=to)
    instant = moment(to) if to is not None else None
    place = opened(policy, environment)
    facts = _recovered(place, instant, reason) if is_pitr else _restored(place, id, media or "sample", reason)
    told(place, "triggered", facts.id, restore_point=facts.restore_point, verdict=facts.verdict, reason=reason)
    if as_json:
        emit(facts.as_json())
    else:
        _show(facts, read_evidence(place, RestorePointId.parse(facts.id)))
    if facts.verdict != "passed":
        raise Failure(FAILED)


def _demand_fitting(id: str | None, media: str | None, *, is_pitr: bool, to: str | None) -> None:
    if to is not None and not is_pitr:
        raise UsageError("--to: means nothing without --pitr", hint="Only a recovery by WAL leads to an instant.")
    for name, value in (("ID", id), ("--media", media)):
        if is_pitr and value is not None:
            raise UsageError(f"--pitr and {name}: a recovery to an instant takes no {name}")


def _restored(place: Environment, id: str | None, media: str, reason: str | None) -> EvidenceFacts:
    from holdfast.drill import run_drill
    from holdfast.values.ids import RestorePointId

    return run_drill(
        place,
        None if id is None else RestorePointId.parse(id),
        media=media,  # type: ignore[arg-type]
        reason=reason,
        requested_by=login_name(),
        progress=reporter(),
    )


def _recovered(place: Environment, to: datetime | None, reason: str | None) -> EvidenceFacts:
    from holdfast.drill import run_pitr_drill

    return run_pitr_drill(place, to, reason=reason, requested_by=login_name(), progress=reporter())


def _show(facts: EvidenceFacts, evidence: Evidence) -> None:
    from holdfast.evidence.instants import figures_of, precise

    for step in evidence.steps:
        click.echo(_line(step))
    for name in evidence.steps_not_run:
        click.echo(f"- {name}: not run")
    if evidence.is_pitr:
        for name, value in figures_of(evidence):
            click.echo(f"{name}: {visible(value)}")
    seconds = (
        "not restored" if facts.restore_seconds is None else f"restored in {figures.seconds(facts.restore_seconds)}"
    )
    target = "" if evidence.rto_seconds is None else f" (objective: {figures.seconds(evidence.rto_seconds)})"
    subject = f"to {precise(evidence)}" if evidence.is_pitr else f"of {facts.restore_point}"
    click.echo(f"drill {subject}: {facts.verdict}, {seconds}{target}")
    click.echo(f"evidence: {facts.key}")


def _line(step: Step) -> str:
    mark = "✓" if step.outcome == "passed" else "✗"
    findings = "".join(f"\n    {finding.about}: {visible(finding.text)}" for finding in step.findings)
    return f"{mark} {visible(step.title)}: {figures.seconds(step.seconds)}{findings}"
