"""``holdfast policy check`` and ``holdfast policy schema``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from holdfast.cli.arguments import json_option
from holdfast.cli.output import emit


@click.group("policy")
def policy_command() -> None:
    """Check a policy file, or print the JSON Schema of policies."""


@policy_command.command("check")
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def policy_check(file: Path, as_json: bool) -> None:
    """Read FILE and name every fault with file, line, field and reason. Touches nothing else."""
    from holdfast.crypto import age
    from holdfast.errors import PolicyError, UsageError
    from holdfast.policy import load_policy

    policy = load_policy(file)
    for name, section in policy.environments.items():
        for text in section.keys.recipients:
            try:
                age.parse_recipient(text)
            except UsageError as error:
                field = f"environments.{name}.keys.recipients"
                raise PolicyError(f"policy {file}: {field}: {error.message}", hint=error.hint) from error
    if as_json:
        tiers = {name: list(section.tiers) for name, section in policy.environments.items()}
        emit({"file": str(file), "app": policy.app, "environments": tiers})
        return
    click.echo(f"{file}: app {policy.app}")
    for name, section in policy.environments.items():
        click.echo(f"  {name}: {', '.join(section.tiers)} → {section.store.url}")


@policy_command.command("schema")
def policy_schema() -> None:
    """Print the JSON Schema of policy files, for editors."""
    from holdfast.policy.schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2))
