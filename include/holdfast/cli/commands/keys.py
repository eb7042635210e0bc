"""``holdfast keys new``."""

from __future__ import annotations

from pathlib import Path

import click

from holdfast.cli.arguments import json_option
from holdfast.cli.output import emit


@click.group("keys")
def keys_command() -> None:
    """Make encryption and signing keys."""


@keys_command.command("new")
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Directory for the keys.")
@json_option
def keys_new(out: Path, as_json: bool) -> None:
    """Write identity.txt, recipient.txt, signing.pem and signing.pub into a directory; overwrites nothing.

    Keep a copy of identity.txt offline: without it no backup can be read.
    """
    from holdfast.crypto.keyfiles import new_keys

    new_keys(out)
    recipient = (out / "recipient.txt").read_text().strip()
    if as_json:
        emit({"directory": str(out), "recipient": recipient})
    else:
        click.echo(f"keys written to {out}; recipient {recipient}")
        click.echo("Keep a copy of identity.txt offline: without it no backup can be read.", err=True)
