"""``holdfast backup``."""

from __future__ import annotations

from pathlib import Path

import click

from holdfast.cli.arguments import environment_arguments, json_option, opened
from holdfast.cli.auditing import told
from holdfast.cli.output import emit
from holdfast.cli.progress import reporter
from holdfast.values import figures


@click.command("backup")
@environment_arguments
@click.argument("tier")
@click.option("--label", help="A name for it, such as pre-deploy-2026.11.3.")
@json_option
def backup_command(policy: Path, environment: str, tier: str, label: str | None, as_json: bool) -> None:
    """Take one restore point of ENV under TIER (nightly, monthly or snapshot), verified and signed."""
    from holdfast.backup import run_backup

    place = opened(policy, environment)
    facts = run_backup(place, tier, label=label, progress=reporter())
    told(place, "triggered", facts.restore_point, tier=tier, label=label)
    if as_json:
        fields = facts.as_json()
        emit({"id": fields.pop("restore_point"), "tier": tier, "label": label, **fields})
    else:
        click.echo(
            f"restore point {facts.restore_point}: {figures.size(facts.bytes)}, "
            f"{facts.tables} tables, {facts.rows} rows, {facts.seconds:.1f} s"
        )
