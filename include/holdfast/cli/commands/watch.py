"""``holdfast watch``."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from holdfast.cli.arguments import json_option
from holdfast.cli.commands.status import chosen, names_option, policies_argument
from holdfast.cli.output import FAILED, Failure, emit
from holdfast.values.visible import visible

if TYPE_CHECKING:
    from holdfast.watch.reports import WatchReport


@click.command("watch")
@policies_argument
@names_option
@click.option("--every", metavar="SPAN", help="Go on with a round each SPAN, such as 15m, until interrupted.")
@json_option
def watch_command(policies: tuple[Path, ...], names: tuple[str, ...], every: str | None, as_json: bool) -> None:
    """Do what the DAG holdfast.watch does: look at all environments, and tell people what they do not know yet.

    For cron while Airflow is down. Beside the DAG nobody is told anything twice. Exit status 1 where an environment
    could not be looked at, or a message did not arrive; findings alone are no failure.
    """
    from holdfast.errors import UsageError
    from holdfast.values.airflow_conn import EnvironmentConnections
    from holdfast.values.duration import Duration
    from holdfast.watch import watch_all

    pause_s = Duration.parse(every).as_seconds if every is not None else None
    if pause_s is not None and pause_s < 10:
        raise UsageError(f"--every {every}: less than 10s", hint="Every 15m is what the DAG does.")
    files, connections = chosen(policies, names), EnvironmentConnections(os.environ)
    while True:
        began = time.monotonic()
        report = watch_all(files, connections, environments=names)
        _show(report, as_json)
        if pause_s is None:
            break
        try:
            time.sleep(max(1.0, pause_s - (time.monotonic() - began)))
        except KeyboardInterrupt:
            # Between two rounds nothing is left undone.
            return
    if report.failed or report.broken or any(round.undelivered for round in report.rounds):
        raise Failure(FAILED)


def _show(report: WatchReport, as_json: bool) -> None:
    if as_json:
        emit(report.as_json())
        return
    for line in _lines(report):
        click.echo(visible(line))
    notes = (
        *report.notes,
        *(f"{round.app}/{round.environment}: {note}" for round in report.rounds for note in round.notes),
    )
    for note in notes:
        click.echo(visible(f"note: {note}"), err=True)


def _lines(report: WatchReport) -> Iterator[str]:
    for finding in report.findings:
        place = "/".join(filter(None, (finding.app, finding.environment)))
        yield f"{finding.severity:<6}  {place}  {finding.text}"
    for round in report.rounds:
        told = {"raised": round.raised, "said again": round.reminded, "resolved": round.resolved}
        yield from (f"{word}: {thread}" for word, threads in told.items() for thread in threads)
        yield from (f"not delivered: {round.app}/{round.environment}: {fault}" for fault in round.undelivered)
    yield from (f"not watched: {title}: {fault}" for title, fault in report.failed.items())
    if not report.findings and not report.failed:
        yield f"nothing to report: {len(report.rounds)} environment{'s' * (len(report.rounds) != 1)}"
