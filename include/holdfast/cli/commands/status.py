"""``holdfast status``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from holdfast.cli.arguments import json_option, near_moment
from holdfast.cli.output import FAILED, Failure, emit
from holdfast.values.visible import visible

if TYPE_CHECKING:
    from holdfast.watch.finding import Finding
    from holdfast.watch.reports import Seen, StatusReport

policies_argument = click.argument("policies", metavar="[POLICY]…", nargs=-1, type=click.Path(path_type=Path))
names_option = click.option(
    "--environment", "names", metavar="ENV", multiple=True, help="Only environments of that name."
)
_DAGS_FOLDER = "AIRFLOW__CORE__DAGS_FOLDER"


@click.command("status")
@policies_argument
@names_option
@click.option("--now", metavar="TIMESTAMP", help="Judge as if it were that time, with its UTC offset.")
@click.option("--ping", "is_pinging", is_flag=True, help="Call the policies' ping connections with the result.")
@json_option
def status_command(
    policies: tuple[Path, ...], names: tuple[str, ...], now: str | None, is_pinging: bool, as_json: bool
) -> None:
    """Show what is not as it must be in all environments of the policies, computed from their stores alone.

    Without POLICY: those in ./dags, or in $AIRFLOW__CORE__DAGS_FOLDER, that have a .py beside them. Writes nothing and
    tells nobody. Exit status 1 where there is any finding.
    """
    from holdfast.values.airflow_conn import EnvironmentConnections
    from holdfast.watch import status_of

    at, files = near_moment(now), chosen(policies, names)
    connections = EnvironmentConnections(os.environ)
    report = status_of(files, connections, at, names)
    unpinged = _pinged(files, names, report) if is_pinging else []
    if as_json:
        emit({**report.as_json(), "notes": [*report.notes, *unpinged]})
    else:
        for line in lines(report):
            click.echo(visible(line))
        for note in (*report.notes, *unpinged):
            click.echo(visible(f"note: {note}"), err=True)
    if report.findings or unpinged:
        raise Failure(FAILED)


def chosen(policies: tuple[Path, ...], names: tuple[str, ...]) -> list[Path]:
    """The policy files to look at; raises UsageError where there are none, or one is not there."""
    from holdfast.errors import UsageError
    from holdfast.watch.fleet import fleet_of

    folder = Path(os.environ.get(_DAGS_FOLDER) or "dags")
    found = list(policies) or sorted(file for file in folder.glob("*.yaml") if file.with_suffix(".py").is_file())
    if not found:
        raise UsageError(
            f"no policy in {folder}: there is no .yaml with a .py beside it", hint="Name the policy files."
        )
    for path in found:
        if not path.is_file():
            raise UsageError(f"policy {path}: no such file", hint="Give the paths of policy files, or none at all.")
    if names:
        fleet = fleet_of(found)
        known = {place.environment for place in fleet.places}
        missing = [name for name in names if name not in known]
        if missing and not fleet.broken:
            raise UsageError(
                f"environment {missing[0]!r}: in none of the policies", hint=f"They have: {', '.join(sorted(known))}."
            )
    return found


def lines(report: StatusReport) -> Iterator[str]:
    """A paragraph for each finding; where there is none, one line, and one for each environment."""
    for finding in report.findings:
        yield from _paragraph(finding)
    if report.findings:
        pages = sum(finding.severity == "page" for finding in report.findings)
        yield f"{pages} to page, {len(report.findings) - pages} to notify, {_environments(report)}"
        return
    yield f"nothing to report: {_environments(report)}"
    width = max((len(f"{each.app}/{each.environment}") for each in report.seen), default=0)
    for each in report.seen:
        yield f"  {f'{each.app}/{each.environment}':<{width}}  {_newest(each)}"


def _paragraph(finding: Finding) -> Iterator[str]:
    from holdfast.evidence.figures import moment as written

    place = "/".join(filter(None, (finding.app, finding.environment)))
    since = f" (since {written(finding.since)})" if finding.since is not None else ""
    yield f"{finding.severity:<6}  {place}  {finding.kind.replace('_', ' ')}{since}"
    for text in (finding.text, finding.meaning, finding.advice):
        yield f"        {text}"
    yield f"        docs/{finding.runbook}"


def _environments(report: StatusReport) -> str:
    return f"{len(report.seen)} environment{'s' * (len(report.seen) != 1)}"


def _newest(each: Seen) -> str:
    from holdfast.watch.messages import span

    newest = each.newest
    if newest is None or each.facts is None:
        return "no restore point yet"
    return f"newest restore point {newest.id}, {span(newest.opened_at, each.facts.read_at)} old"


def _pinged(files: list[Path], names: tuple[str, ...], report: StatusReport) -> list[str]:
    from holdfast.values.airflow_conn import EnvironmentConnections
    from holdfast.watch.fleet import fleet_of
    from holdfast.watch.pings import ping_status

    return ping_status(fleet_of(files, names), EnvironmentConnections(os.environ), report)
