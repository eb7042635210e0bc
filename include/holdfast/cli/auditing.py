"""Tells the audit trail of what commands read out of the store, and of what people start with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from holdfast.values.visible import visible

if TYPE_CHECKING:
    from pydantic import JsonValue

    from holdfast.audit import Action
    from holdfast.environment import Environment


def told(place: Environment, action: Action, subject: str, **details: JsonValue) -> None:
    """Record it; where the store takes no record, say so on stderr and go on: a restore must be possible then, too."""
    from holdfast.audit import Act, append_if_possible

    trouble = append_if_possible(place, Act(action, subject, details))
    if trouble is not None:
        click.echo(f"warning: {visible(trouble)}", err=True)
