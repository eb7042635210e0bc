"""Arguments and options that several commands share, read the same way everywhere."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from holdfast.errors import UsageError

if TYPE_CHECKING:
    from holdfast.environment import Environment

Decorated = Callable[..., Any]

policy_argument = click.argument("policy", type=click.Path(path_type=Path))
environment_argument = click.argument("environment", metavar="ENV")
id_argument = click.argument("id", metavar="ID")
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")


def environment_arguments(command: Decorated) -> Decorated:
    """POLICY and ENV, in that order."""
    return policy_argument(environment_argument(command))


def opened(policy: Path, environment: str) -> Environment:
    """Open an environment with connections from ``AIRFLOW_CONN_<ID>``, on behalf of who is logged in."""
    from holdfast.cli.login import actor
    from holdfast.environment import open_environment
    from holdfast.values.airflow_conn import EnvironmentConnections

    return open_environment(policy, environment, EnvironmentConnections(os.environ), actor())


def near_moment(text: str | None) -> datetime:
    """As ``moment``, of the years in which there are backups; schedules cannot be reckoned at the ends of time."""
    found = moment(text)
    if not 1970 <= found.year < 9000:
        raise UsageError(f"timestamp {text!r}: no year of a backup", hint="Write it like 2026-11-22T02:00:00+01:00.")
    return found


def moment(text: str | None) -> datetime:
    """A timestamp with its UTC offset, or the present; one without an offset is refused, for it is ambiguous."""
    if text is None:
        return datetime.now(UTC)
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"timestamp {text!r}: not of the form 2026-11-22T02:00:00+00:00") from error
    if found.tzinfo is None:
        raise UsageError(
            f"timestamp {text!r}: it has no UTC offset", hint="Write it with one, such as 2026-11-22T02:00:00+01:00."
        )
    return found
