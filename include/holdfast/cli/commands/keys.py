"""``holdfast keys new``."""

from __future__ import annotations

from pathlib import Path

import click

from holdfast.cli.arguments import json_option
from holdfast.cli.output import emit
from holdfast.errors import UsageError


@click.group("keys")
def keys_command() -> None:
    """Make encryption and signing keys."""


@keys_command.command("new")
@click.option("--out", "folder", required=True, type=click.Path(file_okay=False), help="Directory for the keys.")
@json_option
def keys_new(folder: str, as_json: bool) -> None:
    """Write identity.txt, recipient.txt, signing.pem and signing.pub into a directory; overwrites nothing.

    Keep a copy of identity.txt offline: without it no backup can be read.
    """
    from holdfast.crypto.keyfiles import new_keys

    if not folder:
        # Most likely a variable of a script that is not set; as a path it would be the working directory.
        raise UsageError("--out: is empty", hint="Name a directory for the keys.")
    out = Path(folder)
    new_keys(out)
    recipient = (out / "recipient.txt").read_text().strip()
    if as_json:
        emit({"directory": str(out), "recipient": recipient})
    else:
        click.echo(f"keys written to {out}; recipient {recipient}")
        click.echo("Keep a copy of identity.txt offline: without it no backup can be read.", err=True)
