"""``holdfast fetch``."""

from __future__ import annotations

from pathlib import Path

import click

from holdfast.cli.arguments import environment_arguments, id_argument, opened
from holdfast.cli.auditing import told
from holdfast.cli.binary import to_stdout
from holdfast.cli.progress import reporter


@click.command("fetch")
@environment_arguments
@id_argument
@click.argument("artifact")
def fetch_command(policy: Path, environment: str, id: str, artifact: str) -> None:
    """Write the plaintext of one ARTIFACT of restore point ID to stdout, such as globals.sql or database.dump.

    Its hash is proven at the end: use the output only when the exit status is 0.
    """
    from holdfast.restore import fetch_artifact
    from holdfast.values.ids import RestorePointId

    progress = reporter()
    place = opened(policy, environment)
    content = fetch_artifact(place, RestorePointId.parse(id), artifact, progress=progress)
    told(place, "exported", id, artifact=artifact)
    to_stdout(content)
    progress.end()
