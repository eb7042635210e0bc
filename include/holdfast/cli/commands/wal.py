"""``holdfast wal``: stream write-ahead log into the store, and check what is there."""

from __future__ import annotations

import click

from holdfast.cli.commands.wal_check import wal_check
from holdfast.cli.commands.wal_drop_slot import wal_drop_slot
from holdfast.cli.commands.wal_stream import wal_stream


@click.group("wal")
def wal_command() -> None:
    """Stream a server's write-ahead log (WAL) into the store, and check it."""


wal_command.add_command(wal_stream)
wal_command.add_command(wal_check)
wal_command.add_command(wal_drop_slot)
