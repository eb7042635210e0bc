"""``holdfast encrypt`` and ``holdfast decrypt``: age files from stdin to stdout."""

from __future__ import annotations

from pathlib import Path

import click

from holdfast.cli.binary import from_stdin, to_stdout
from holdfast.errors import UsageError


def _warn_of_exposed(*paths: Path | None) -> None:
    """Here a person names the file and needs its content now: refusing would only make them copy it."""
    from holdfast.crypto.secret_file import is_exposed

    for path in paths:
        if path is not None and is_exposed(path):
            click.echo(
                f"holdfast: warning: {path}: everybody on this machine may read it; chmod 600 mends that", err=True
            )


@click.command("encrypt")
@click.option(
    "-r", "--recipient", "recipients", multiple=True, required=True, metavar="age1…", help="May be given again."
)
def encrypt_command(recipients: tuple[str, ...]) -> None:
    """Encrypt stdin to stdout for one or more age recipients."""
    from holdfast.crypto import age

    to_stdout(age.encrypt(from_stdin(), [age.parse_recipient(text) for text in recipients]))


@click.command("decrypt")
@click.option(
    "-i", "--identity", "identity_files", multiple=True, type=click.Path(path_type=Path), help="Identity file."
)
@click.option("--passphrase-file", type=click.Path(path_type=Path), help="File of one line, the passphrase.")
def decrypt_command(identity_files: tuple[Path, ...], passphrase_file: Path | None) -> None:
    """Decrypt an age file from stdin to stdout; ASCII armor is recognised by itself.

    Only authenticated bytes are written, but a file that is damaged further on fails after its sound
    part was written: use the output only when the exit status is 0.
    """
    from holdfast.crypto import age

    if bool(identity_files) == (passphrase_file is not None):
        raise UsageError("decrypt: give either -i FILE or --passphrase-file FILE")
    identities: tuple[age.Identity, ...]
    if passphrase_file is not None:
        identities = (age.load_passphrase(passphrase_file, refuse_exposed=False),)
    else:
        identities = tuple(
            identity for path in identity_files for identity in age.load_identities(path, refuse_exposed=False)
        )
    _warn_of_exposed(passphrase_file, *identity_files)
    to_stdout(age.decrypt(from_stdin(), identities))
