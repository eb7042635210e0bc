"""``holdfast restore``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from holdfast.cli.arguments import environment_arguments, id_argument, json_option, opened
from holdfast.cli.auditing import told
from holdfast.cli.output import emit
from holdfast.cli.progress import reporter
from holdfast.values.visible import visible

if TYPE_CHECKING:
    from holdfast.postgres.conninfo import Target


@click.command("restore")
@environment_arguments
@id_argument
@click.option("--to", "to", required=True, metavar="URL_OR_CONN_ID", help="The new or empty database.")
@click.option(
    "--jobs", type=click.IntRange(1, 64), help="Parallel jobs; 1 needs no disk space. [default: CPUs, up to 4]"
)
@click.option("--table", "tables", multiple=True, metavar="NAME", help="Only this table; may be given again.")
@json_option
def restore_command(
    policy: Path, environment: str, id: str, to: str, jobs: int | None, tables: tuple[str, ...], as_json: bool
) -> None:
    """Restore ID into a database that is new or empty, then compare every table's rows with the manifest.

    A URL with a password is seen by others on this host while the command runs: prefer a connection id.
    """
    from holdfast.restore import restore_database
    from holdfast.values.ids import RestorePointId

    place, point = opened(policy, environment), RestorePointId.parse(id)

    def recorded(target: Target) -> None:
        told(place, "restored", id, to=target.describe(), tables=[*tables])

    report = restore_database(place, point, to=to, jobs=jobs, tables=tables, before=recorded, progress=reporter())
    if as_json:
        emit(report.as_json())
        return
    for note in report.notes:
        click.echo(f"note: {visible(note)}", err=True)
    click.echo(
        f"restored {report.id} into {report.target}: {report.tables} tables, {report.rows} rows, all equal to the "
        f"manifest (fetch {report.fetch_seconds:.1f} s, restore {report.restore_seconds:.1f} s, "
        f"count {report.count_seconds:.1f} s)"
    )
