"""``holdfast list`` and ``holdfast verify``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from holdfast.cli.arguments import environment_arguments, id_argument, json_option, opened
from holdfast.cli.output import FAILED, Failure, emit
from holdfast.cli.progress import reporter
from holdfast.values import figures

if TYPE_CHECKING:
    from holdfast.catalog.listing import PointSummary
    from holdfast.crypto.signing import Verifier

_TRIED = {"passed": "restored", "failed": "RESTORE CHECK FAILED"}


@click.command("list")
@environment_arguments
@json_option
def list_command(policy: Path, environment: str, as_json: bool) -> None:
    """List the restore points of ENV, oldest first. Their signatures are checked by `holdfast verify`.

    Where a restore point was restored to see that it restores, it is told what came of that.
    """
    from holdfast.catalog.listing import summaries
    from holdfast.errors import UsageError

    place = opened(policy, environment)

    def verifier() -> Verifier | None:
        try:
            return place.verifier()
        except UsageError:  # without keys there is still a list, but nobody to believe
            return None

    found = summaries(place.catalog, verifier)
    if as_json:
        emit({"restore_points": [summary.as_json() for summary in found]})
        return
    if not found:
        click.echo("no restore points yet; `holdfast backup POLICY ENV TIER` takes one", err=True)
    for summary in found:
        click.echo(_line(summary))


def _line(summary: PointSummary) -> str:
    marks = [f"label {summary.label}"] if summary.label else []
    marks += ["media"] if summary.media_snapshot else []
    marks += [_TRIED[summary.restore_check]] if summary.restore_check else []
    marks += ["held"] if summary.is_held else []
    marks += [f"BROKEN: {'; '.join(summary.faults)}"] if summary.faults else []
    size = figures.size(summary.bytes).rjust(10)
    return f"{summary.id:<41}  {size}  {summary.tables:>5} tables  {summary.rows:>12} rows  {', '.join(marks)}".rstrip()


@click.command("verify")
@environment_arguments
@id_argument
@json_option
def verify_command(policy: Path, environment: str, id: str, as_json: bool) -> None:
    """Check signature, sizes, hashes, decryption and table list of restore point ID."""
    from holdfast.values.ids import RestorePointId
    from holdfast.verify import verify

    report = verify(opened(policy, environment), RestorePointId.parse(id), progress=reporter())
    if as_json:
        emit(report.as_json())
    elif report.ok:
        how = "decrypted and listed" if report.decrypted else "size and hash only: no identity_file in the policy"
        notes = "".join(f"; {note}" for note in report.notes)
        click.echo(f"restore point {report.id}: intact, {figures.size(report.bytes)} read, {how}{notes}")
    for fault in report.faults:
        click.echo(f"holdfast: error: restore point {report.id}: {fault}", err=True)
    if not report.ok:
        raise Failure(FAILED)
