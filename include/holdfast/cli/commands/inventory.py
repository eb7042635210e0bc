"""``holdfast inventory check``."""

from __future__ import annotations

from pathlib import Path

import click

from holdfast.cli.arguments import environment_arguments, json_option, opened
from holdfast.cli.output import FAILED, Failure, emit


@click.group("inventory")
def inventory_command() -> None:
    """The configuration inventory: names, owners and places of variables, never their values."""


@inventory_command.command("check")
@environment_arguments
@json_option
def inventory_check(policy: Path, environment: str, as_json: bool) -> None:
    """Check the inventory of ENV, and compare it with the env file that the policy names; stores nothing.

    Exit status: 0 all is well, 1 variables are missing, undocumented or overdue, or the env file cannot be
    read, 2 the inventory itself has a fault or holds a value.
    """
    from holdfast.inventory import check_inventory

    site = opened(policy, environment)
    inventory, drift = check_inventory(site.policy, site.today())
    if as_json:
        lists = {name: list(getattr(drift, name)) for name in ("missing", "undocumented", "overdue")}
        facts = {"compared": drift.is_compared, "unread": drift.unread}
        emit({"ok": drift.is_clean, "variables": len(inventory.variables), **lists, **facts})
    else:
        click.echo(f"{len(inventory.variables)} variables")
        for text, names in (
            ("missing, in the inventory but not in the env file", drift.missing),
            ("undocumented, in the env file but not in the inventory", drift.undocumented),
            ("overdue, to be rotated by a day that has passed", drift.overdue),
        ):
            for name in names:
                click.echo(f"{name}: {text}")
        if drift.unread:
            click.echo(f"nothing was compared, the env file was not read: {drift.unread}")
    if not drift.is_clean:
        raise Failure(FAILED)
