"""``holdfast base-backup``."""

from __future__ import annotations

from pathlib import Path

import click

from holdfast.cli.arguments import environment_arguments, json_option, opened
from holdfast.cli.auditing import told
from holdfast.cli.output import emit
from holdfast.cli.progress import reporter
from holdfast.values import figures


@click.command("base-backup")
@environment_arguments
@click.option("--full", is_flag=True, help="A full one, even where an incremental one would do.")
@json_option
def base_backup_command(policy: Path, environment: str, full: bool, as_json: bool) -> None:
    """Take a base backup of the cluster of ENV: all its files, for point-in-time recovery.

    It exists once the WAL that it needs is stored, too: `holdfast wal stream` must run meanwhile. An incremental one
    is taken from PostgreSQL 17 on where summarize_wal is on and the last full one is young enough (wal.full_every).
    """
    from holdfast.backup.base import take_base_backup

    place = opened(policy, environment)
    facts = take_base_backup(place, full=full, progress=reporter())
    told(place, "triggered", facts.base_backup, kind=facts.kind)
    if as_json:
        emit(facts.as_json())
    else:
        built_on = f" on {facts.parent}" if facts.parent else ""
        click.echo(
            f"base backup {facts.base_backup}: {facts.kind}{built_on}, {figures.size(facts.bytes)} stored, "
            f"WAL {facts.start_lsn} to {facts.stop_lsn} of timeline {facts.timeline}, {facts.seconds:.1f} s"
        )
