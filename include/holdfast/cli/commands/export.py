"""``holdfast export list`` and ``holdfast export fetch``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from holdfast.cli.arguments import environment_arguments, id_argument, json_option, opened
from holdfast.cli.auditing import told
from holdfast.cli.binary import to_stdout
from holdfast.cli.output import emit
from holdfast.cli.progress import reporter
from holdfast.values import figures
from holdfast.values.visible import visible

if TYPE_CHECKING:
    from holdfast.catalog.export_listing import ExportSummary


@click.group("export")
def export_command() -> None:
    """List compliance exports, or write one table of one as CSV."""


@export_command.command("list")
@environment_arguments
@json_option
def export_list(policy: Path, environment: str, as_json: bool) -> None:
    """List the compliance exports of ENV, oldest first."""
    from holdfast.catalog.export_listing import export_summaries

    opened_environment = opened(policy, environment)
    found = export_summaries(opened_environment.export_catalog, opened_environment.verifier())
    if as_json:
        emit({"exports": [summary.as_json() for summary in found]})
        return
    for summary in found:
        click.echo(visible(_line(summary)))
    if not found:
        click.echo("no exports")


@export_command.command("fetch")
@environment_arguments
@id_argument
@click.argument("table")
def export_fetch(policy: Path, environment: str, id: str, table: str) -> None:
    """Write TABLE of export ID to stdout as CSV with a header, UTF-8.

    Its hash is proven at the end: use the output only when the exit status is 0.
    """
    from holdfast.restore import fetch_export
    from holdfast.values.ids import RestorePointId

    progress = reporter()
    place = opened(policy, environment)
    content = fetch_export(place, RestorePointId.parse(id), table, progress=progress)
    told(place, "exported", id, table=table)
    to_stdout(content)
    progress.end()


def _line(summary: ExportSummary) -> str:
    if summary.faults:
        return f"{summary.id}  BROKEN: {'; '.join(summary.faults)}"
    tables = ", ".join(f"{table.name} ({figures.count(table.rows)} rows)" for table in summary.tables)
    return f"{summary.id}  {figures.size(summary.bytes):>10}  {tables}"
