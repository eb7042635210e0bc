"""``holdfast expire`` and ``holdfast hold``."""

from __future__ import annotations

from pathlib import Path

import click

from holdfast.cli.arguments import environment_arguments, id_argument, json_option, moment, opened
from holdfast.cli.login import login_name
from holdfast.cli.output import emit
from holdfast.cli.progress import reporter
from holdfast.values import figures


@click.command("expire")
@environment_arguments
@click.option("--dry-run", is_flag=True, help="Show each deletion with its reason; delete nothing.")
@click.option("--now", metavar="TIMESTAMP", help="Judge as of this moment, with a UTC offset. [default: the present]")
@json_option
def expire_command(policy: Path, environment: str, dry_run: bool, now: str | None, as_json: bool) -> None:
    """Delete the restore points, media, base backups, WAL and evidence of ENV that retention lets go, and remnants.

    What is held, the newest verified restore point, the newest base backup that can be recovered, and the media and
    WAL that something kept needs always stay.
    """
    from holdfast.expire import expire

    report = expire(opened(policy, environment), now=moment(now), dry_run=dry_run, progress=reporter())
    if as_json:
        emit(report.as_json())
        return
    verb = "would delete" if dry_run else "deleted"
    for deletion in report.deleted:
        click.echo(f"{verb} {deletion.id} ({figures.size(deletion.bytes)}): {deletion.reason}")
    for kind, gone in report.media.deletions():
        click.echo(f"{verb} {kind} {gone.id} ({figures.size(gone.bytes)}): {gone.reason}")
    for export in report.exports.deleted:
        click.echo(f"{verb} export {export.id} ({figures.size(export.bytes)}): {export.reason}")
    for proof in report.evidence.deleted:
        click.echo(f"{verb} evidence {proof.id} ({figures.size(proof.bytes)}): {proof.reason}")
    for base in report.base_backups.deleted:
        click.echo(f"{verb} base backup {base.id} ({figures.size(base.bytes)}): {base.reason}")
    for run in report.wal.deleted:
        click.echo(f"{verb} {run} ({run.segments} segments, {figures.size(run.bytes)}): {run.reason}")
    for decision in report.kept:
        click.echo(f"keeps {decision.id}: {decision.reason}")
    for decision in report.media.kept:
        click.echo(f"keeps media snapshot {decision.id}: {decision.reason}")
    for decision in report.exports.kept:
        click.echo(f"keeps export {decision.id}: {decision.reason}")
    for decision in report.evidence.kept:
        click.echo(f"keeps evidence {decision.id}: {decision.reason}")
    for decision in report.base_backups.kept:
        click.echo(f"keeps base backup {decision.id}: {decision.reason}")
    if report.media.shards_left is not None:
        click.echo(f"leaves all shards: {report.media.shards_left}")
    if report.media.locked:
        click.echo(f"leaves {report.media.locked} shards and remnants of media that the store locks")
    for left in report.wal.left:
        click.echo(f"leaves {left}")
    for line in report.wal.window_lines():
        click.echo(line)
    click.echo(
        f"{verb} {len(report.deleted)}{report.media.summary}, {figures.size(report.freed_bytes)}; "
        f"keeps {len(report.kept)}"
    )


@click.group("hold")
def hold_command() -> None:
    """Exempt a restore point or base backup from expiry, or lift that."""


@hold_command.command("add")
@environment_arguments
@id_argument
@click.option("--reason", default="", help="Why it is held.")
@json_option
def hold_add(policy: Path, environment: str, id: str, reason: str, as_json: bool) -> None:
    """Hold restore point or base backup ID: expire never deletes it, nor the WAL behind a base backup."""
    from holdfast.expire import add_hold
    from holdfast.values.ids import RestorePointId

    is_new = add_hold(
        opened(policy, environment), RestorePointId.parse(id), now=moment(None), by=login_name(), reason=reason
    )
    if as_json:
        emit({"id": id, "held": True, "changed": is_new})
    else:
        click.echo(f"{_kind(id)} {id}: {'held' if is_new else 'was held already'}")


@hold_command.command("remove")
@environment_arguments
@id_argument
@json_option
def hold_remove(policy: Path, environment: str, id: str, as_json: bool) -> None:
    """Lift the hold of restore point or base backup ID."""
    from holdfast.expire import remove_hold
    from holdfast.values.ids import RestorePointId

    was_held = remove_hold(opened(policy, environment), RestorePointId.parse(id))
    if as_json:
        emit({"id": id, "held": False, "changed": was_held})
    else:
        click.echo(f"{_kind(id)} {id}: {'hold lifted' if was_held else 'was not held'}")


def _kind(id: str) -> str:
    return "base backup" if "-base_backup-" in id else "restore point"
