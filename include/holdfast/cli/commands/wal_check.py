"""``holdfast wal check``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from holdfast.cli.arguments import environment_arguments, json_option, opened
from holdfast.cli.output import FAILED, Failure, emit
from holdfast.cli.progress import reporter
from holdfast.values import figures
from holdfast.values.visible import visible

if TYPE_CHECKING:
    from holdfast.verify import WalCheckReport

_SHOWN = 50


@click.command("check")
@environment_arguments
@click.option("--all", "everything", is_flag=True, help="Read everything again, not only what is new since the last.")
@json_option
def wal_check(policy: Path, environment: str, everything: bool, as_json: bool) -> None:
    """Check that the WAL of ENV goes on without a gap from each base backup, and that contents are intact.

    Base backups are read as well. What was found intact and has not been written since is not read again.
    """
    from holdfast.verify import check_wal

    report = check_wal(opened(policy, environment), everything=everything, progress=reporter())
    if as_json:
        emit(report.as_json())
    else:
        _show(report)
    if not report.ok:
        raise Failure(FAILED)


def _show(report: WalCheckReport) -> None:
    for note in report.notes:
        click.echo(f"note: {visible(note)}", err=True)
    for fault in report.faults[:_SHOWN]:
        click.echo(f"holdfast: error: {visible(str(fault))}", err=True)
    if len(report.faults) > _SHOWN:
        click.echo(f"… and {figures.count(len(report.faults) - _SHOWN)} more; --json names all of them", err=True)
    if report.ok:
        verdict = "intact and without a gap" if report.is_decrypted else "without a gap, contents not read"
    else:
        verdict = f"{figures.count(len(report.faults))} {'fault' if len(report.faults) == 1 else 'faults'}"
    click.echo(
        f"WAL: {verdict}; {figures.count(report.read)} of {figures.count(report.pieces)} pieces and "
        f"{report.base_backups_read} of {report.base_backups} base backups read, {figures.size(report.bytes)}, "
        f"{figures.seconds(report.seconds)}"
    )
