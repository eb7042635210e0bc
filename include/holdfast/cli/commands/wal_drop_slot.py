"""``holdfast wal drop-slot``."""

from __future__ import annotations

from pathlib import Path

import click

from holdfast.cli.arguments import environment_arguments, json_option, opened
from holdfast.cli.output import emit
from holdfast.values import figures


@click.command("drop-slot")
@environment_arguments
@click.option("--i-understand-a-gap", "accepts_gap", is_flag=True, help="Accept that WAL may be lost for recovery.")
@click.option("--force", is_flag=True, help="Also while it is being streamed; the streamer then makes a new slot.")
@json_option
def wal_drop_slot(policy: Path, environment: str, accepts_gap: bool, force: bool, as_json: bool) -> None:
    """Give up the replication slot that holds back WAL on the source of ENV, where its disk fills up.

    The server then removes WAL that the store does not have: no instant from the last stored WAL to the next base
    backup can be recovered. The next `holdfast wal stream` makes the slot anew.
    """
    from holdfast.streaming.giving_up import give_up_slot

    dropped = give_up_slot(opened(policy, environment), accepts_gap=accepts_gap, force=force)
    if as_json:
        emit(dropped.as_json())
    elif not dropped.existed:
        click.echo(f"replication slot {dropped.slot}: there is none")
    else:
        held = figures.size(dropped.retained_bytes or 0)
        click.echo(f"replication slot {dropped.slot}: dropped; it held back {held} from {dropped.restart_lsn} on")
        click.echo("take a base backup now: `holdfast base-backup POLICY ENV`")
