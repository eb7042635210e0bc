"""``holdfast rows``, ``undo-rows``, ``tables``, ``switch`` and ``switch-back``: plans, and with their hash acts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from holdfast.cli.arguments import environment_arguments, id_argument, json_option, opened
from holdfast.cli.operations import Applying, applying_options, plan_or_apply
from holdfast.cli.output import FAILED, Failure, emit
from holdfast.errors import UsageError
from holdfast.values.visible import visible

if TYPE_CHECKING:
    from pydantic import JsonValue

_WHAT = click.option(
    "--what",
    type=click.Choice(["database", "media", "both"]),
    default="database",
    show_default=True,
    help="What is replaced.",
)


@click.command("rows")
@environment_arguments
@id_argument
@click.option("--table", required=True, metavar="NAME", help="""As PostgreSQL prints it, such as public."User".""")
@click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="COLUMN=VALUE",
    help="Which rows: several of one column mean any of them, of several columns all of them.",
)
@click.option("--where", "predicate", metavar="CONDITION", help="Which rows, as a SQL condition, instead of --key.")
@click.option(
    "--conflicts",
    type=click.Choice(["report", "overwrite"]),
    default="report",
    show_default=True,
    help="What becomes of rows that are there, but differ.",
)
@click.option(
    "--limit",
    type=click.IntRange(1, 1_000_000),
    default=10_000,
    show_default=True,
    help="More rows than this are not meant.",
)
@applying_options
def rows_command(
    policy: Path,
    environment: str,
    id: str,
    table: str,
    keys: tuple[str, ...],
    predicate: str | None,
    conflicts: str,
    limit: int,
    applying: Applying,
) -> None:
    """Take rows that live lacks from the restore point ID, with the rows that they refer to.

    Without --apply it plans only: nothing is changed anywhere.
    """
    from holdfast.values.ids import RestorePointId

    if bool(keys) == bool(predicate):
        raise UsageError("which rows: give --key COLUMN=VALUE, once or more, or else --where CONDITION")
    pairs: list[JsonValue] = [list(_pair(key)) for key in keys]
    request: dict[str, JsonValue] = {
        "table": table,
        "keys": pairs,
        "predicate": predicate,
        "conflicts": conflicts,
        "limit": limit,
    }
    place = opened(policy, environment)
    plan_or_apply(place, "recover_rows", RestorePointId.parse(id), request, applying)


@click.command("undo-rows")
@environment_arguments
@click.argument("operation", metavar="OPERATION")
@applying_options
def undo_rows_command(policy: Path, environment: str, operation: str, applying: Applying) -> None:
    """Take back what `holdfast rows` has inserted or overwritten, as far as nobody has changed it since."""
    from holdfast.evidence import read_evidence
    from holdfast.values.ids import RestorePointId

    place, of = opened(policy, environment), RestorePointId.parse(operation)
    point = RestorePointId.parse(read_evidence(place, of).restore_point)
    plan_or_apply(place, "undo_rows", point, {"of": str(of)}, applying)


@click.command("tables")
@environment_arguments
@id_argument
@click.option(
    "--table",
    "tables",
    multiple=True,
    required=True,
    metavar="NAME",
    help="May be given again; as PostgreSQL prints it.",
)
@click.option(
    "--mode",
    type=click.Choice(["replace", "merge"]),
    default="replace",
    show_default=True,
    help="replace: exactly the restore point's rows; merge: rows that only live has stay.",
)
@applying_options
def tables_command(
    policy: Path, environment: str, id: str, tables: tuple[str, ...], mode: str, applying: Applying
) -> None:
    """Compare tables of the restore point ID with live, and make live's rows those of the restore point.

    Without --apply it plans only: nothing is changed anywhere.
    """
    from holdfast.values.ids import RestorePointId

    request: dict[str, JsonValue] = {"tables": list(tables), "mode": mode}
    plan_or_apply(opened(policy, environment), "restore_tables", RestorePointId.parse(id), request, applying)


@click.command("switch")
@environment_arguments
@id_argument
@_WHAT
@applying_options
def switch_command(policy: Path, environment: str, id: str, what: str, applying: Applying) -> None:
    """Restore ID beside what is live, and switch to it; what was live is kept, and can be switched back to.

    A fresh snapshot of what is live is taken first. Without --apply it plans only: nothing is changed anywhere.
    """
    from holdfast.values.ids import RestorePointId

    request: dict[str, JsonValue] = {"what": what}
    plan_or_apply(opened(policy, environment), "restore", RestorePointId.parse(id), request, applying)


@click.command("switch-back")
@environment_arguments
@_WHAT
@applying_options
def switch_back_command(policy: Path, environment: str, what: str, applying: Applying) -> None:
    """Make live again what the newest switch has put aside; what is live now is kept in its turn."""
    from holdfast.operation import point_of_switch
    from holdfast.operation.switch.request import what_in

    place = opened(policy, environment)
    request: dict[str, JsonValue] = {"what": what}
    plan_or_apply(place, "switch_back", point_of_switch(place, what_in(request)), request, applying)


@click.command("kept")
@environment_arguments
@click.option("--drop-due", is_flag=True, help="Remove what was kept for as long as the policy says.")
@json_option
def kept_command(policy: Path, environment: str, drop_due: bool, as_json: bool) -> None:
    """List the databases and media that switches have put aside, and until when they are kept."""
    from holdfast.operation import clearing

    place = opened(policy, environment)
    cleared = (
        clearing.drop_due(place, now=place.clock()) if drop_due else clearing.Cleared(clearing.list_kept(place), (), ())
    )
    if as_json:
        emit(cleared.as_json())
    else:
        for each in cleared.kept:
            until = f"until {each.keep_until:%Y-%m-%d %H:%M} UTC" if each.keep_until else "for ever"
            click.echo(f"{each.what} {visible(each.name)}: replaced by {each.restore_point}, kept {until}")
        for each in cleared.removed:
            click.echo(f"removed {each.what} {visible(each.name)}")
        if not cleared.kept and not cleared.removed:
            click.echo("nothing is kept")
    for fault in cleared.faults:
        click.echo(f"holdfast: {visible(fault)}", err=True)
    if cleared.faults:
        raise Failure(FAILED)


def _pair(key: str) -> tuple[str, str]:
    """A column's name may be quoted as in SQL, and then hold an equals sign."""
    if key.startswith('"'):
        end = _end_of_quoted(key)
        if end is not None and key[end : end + 1] == "=":
            return key[1 : end - 1].replace('""', '"'), key[end + 1 :]
    column, equals, value = key.partition("=")
    if not equals or not column:
        raise UsageError(f"--key {key!r}: not of the form COLUMN=VALUE")
    return column, value


def _end_of_quoted(key: str) -> int | None:
    """Behind the closing quote; None where there is none."""
    position = 1
    while (position := key.find('"', position)) != -1:
        if key[position + 1 : position + 2] != '"':
            return position + 1
        position += 2
    return None
