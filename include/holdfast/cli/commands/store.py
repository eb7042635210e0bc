"""``holdfast store``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from holdfast.cli.arguments import environment_arguments, json_option, opened
from holdfast.cli.output import FAILED, Failure, emit, show

if TYPE_CHECKING:
    from holdfast.values.check import Check


@click.group("store")
def store_command() -> None:
    """Look at the settings of the place that holds the backups, or mend them."""


@store_command.command("check")
@environment_arguments
@json_option
def store_check(policy: Path, environment: str, as_json: bool) -> None:
    """Look whether the store of ENV is safe from loss, strangers and the application. Only reads."""
    from holdfast.guard import check_store

    _tell(check_store(opened(policy, environment)), as_json=as_json)


@store_command.command("apply")
@environment_arguments
@json_option
def store_apply(policy: Path, environment: str, as_json: bool) -> None:
    """Mend the settings of the store of ENV where that can be done, and tell how they are then."""
    from holdfast.guard import apply_store

    _tell(apply_store(opened(policy, environment)), as_json=as_json)


def _tell(checks: Sequence[Check], *, as_json: bool) -> None:
    if as_json:
        emit({"checks": [check.as_json() for check in checks]})
    else:
        show(checks)
    if any(check.verdict == "failed" for check in checks):
        raise Failure(FAILED)
