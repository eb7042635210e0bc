"""``holdfast pitr``: what can be recovered to which instant."""

from __future__ import annotations

import shutil
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from holdfast.cli.arguments import environment_arguments, json_option, opened
from holdfast.cli.output import emit
from holdfast.cli.window_bar import Signs, bars
from holdfast.values import figures
from holdfast.values.visible import visible

if TYPE_CHECKING:
    from holdfast.catalog.coverage import Coverage, Gap
    from holdfast.environment import Environment
    from holdfast.manifest.base_backup import BaseBackupManifest

_SHOWN = 20
_WIDEST = 120
_UNKNOWN = "unknown"


@click.group("pitr")
def pitr_command() -> None:
    """Show to which instants ENV can be recovered; `holdfast recover` does it."""


@pitr_command.command("window")
@environment_arguments
@json_option
def pitr_window(policy: Path, environment: str, as_json: bool) -> None:
    """Show from when to when ENV can be recovered, the gaps in between, and the base backups it rests on.

    Contents are not read: `holdfast wal check` does that, and what it has found damaged counts as missing here.
    """
    from holdfast.catalog.windows import read_coverage

    place = opened(policy, environment)
    coverage = read_coverage(place.wal_catalog, place.base_catalog, place.verifier())
    now = place.clock()
    if as_json:
        emit(_document(place, coverage, now))
        return
    _show(place, coverage, now)


def _document(place: Environment, coverage: Coverage, now: datetime) -> dict[str, object]:
    newest, rpo = _newest(coverage), place.policy.targets.rpo
    return coverage.as_json() | {
        "newest": newest.isoformat() if newest is not None else None,
        "behind_seconds": round((now - newest).total_seconds(), 3) if newest is not None else None,
        "rpo_seconds": rpo.as_seconds if rpo is not None else None,
        "pitr": place.policy.database.pitr,
    }


def _show(place: Environment, coverage: Coverage, now: datetime) -> None:
    from zoneinfo import ZoneInfo

    zone = ZoneInfo(place.policy.timezone)
    now = now.astimezone(zone)
    _show_ends(place, coverage, now)
    if coverage.windows:
        width = min(_WIDEST, shutil.get_terminal_size().columns)
        click.echo()
        for line in bars(coverage, now, width, Signs.for_encoding(sys.stdout.encoding)):
            click.echo(line)
    if coverage.gaps:
        click.echo("\ngaps:")
        for gap in coverage.gaps[:_SHOWN]:
            click.echo(f"  {_gap(gap, now)}")
        _more(len(coverage.gaps))
    if coverage.base_backups:
        click.echo("\nbase backups:")
        for base in coverage.base_backups[-_SHOWN:]:
            click.echo(f"  {_base(base, now)}")
        _more(len(coverage.base_backups))
    for note in coverage.notes:
        click.echo(f"note: {visible(note)}", err=True)
    for fault in coverage.faults:
        click.echo(f"fault: {visible(fault)}", err=True)


def _show_ends(place: Environment, coverage: Coverage, now: datetime) -> None:
    if not coverage.windows:
        click.echo(f"{place.title}: no instant can be recovered")
        if place.policy.database.pitr != "streaming":
            click.echo(f"note: the policy has `pitr: {place.policy.database.pitr}`: no WAL is streamed", err=True)
        elif not coverage.base_backups:
            click.echo("note: `holdfast base-backup POLICY ENV` takes the first base backup", err=True)
        return
    oldest = min(window.begins_at for window in coverage.windows)
    click.echo(f"oldest  {_moment(oldest, now)}")
    newest = _newest(coverage)
    if newest is None:
        click.echo("newest  unknown: no stored WAL behind a base backup has a mark of the time")
        return
    behind = max(0.0, (now - newest).total_seconds())
    rpo, told = place.policy.targets.rpo, ""
    if rpo is not None:
        told = f", within the RPO of {rpo}" if behind <= rpo.as_seconds else f", BEYOND THE RPO of {rpo}"
    click.echo(f"newest  {_moment(newest, now)}  {figures.seconds(behind)} ago{told}")


def _newest(coverage: Coverage) -> datetime | None:
    return max((window.ends_at for window in coverage.windows if window.ends_at is not None), default=None)


def _gap(gap: Gap, now: datetime) -> str:
    which = gap.first if gap.first == gap.last else f"{gap.first} to {gap.last}"
    between = f"between {_moment(gap.begins_at, now)} and {_moment(gap.ends_at, now)}"
    return f"{which}  timeline {gap.timeline}  {figures.size(gap.end_lsn - gap.start_lsn)}  {between}"


def _base(base: BaseBackupManifest, now: datetime) -> str:
    sizes = f"{figures.size(base.stored_bytes).rjust(9)} of {figures.size(base.data_bytes).rjust(9)}"
    parent = f"  on {base.parent}" if base.parent else ""
    finished = _moment(base.finished_at, now)
    return f"{base.id}  {base.kind:<11}  {sizes}  timeline {base.timeline}  from {finished}{parent}"


def _moment(moment: datetime | None, now: datetime) -> str:
    return _UNKNOWN if moment is None else moment.astimezone(now.tzinfo).isoformat(" ", "seconds")


def _more(count: int) -> None:
    if count > _SHOWN:
        click.echo(f"  … {figures.count(count - _SHOWN)} more; --json has all of them")
