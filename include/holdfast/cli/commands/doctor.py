"""``holdfast doctor``."""

from __future__ import annotations

from pathlib import Path

import click

from holdfast.cli.arguments import environment_arguments, json_option, opened
from holdfast.cli.output import FAILED, Failure, emit, show


@click.command("doctor")
@environment_arguments
@json_option
def doctor_command(policy: Path, environment: str, as_json: bool) -> None:
    """Check what a backup of ENV needs, and say what to mend. Writes and deletes one probe object in the store."""
    from holdfast.doctor import examine

    checks = examine(opened(policy, environment))
    has_failed = any(check.verdict == "failed" for check in checks)
    if as_json:
        emit({"ok": not has_failed, "checks": [check.as_json() for check in checks]})
    else:
        show(checks)
    if has_failed:
        raise Failure(FAILED)
