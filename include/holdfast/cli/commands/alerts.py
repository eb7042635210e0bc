"""``holdfast alerts``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from holdfast.cli.arguments import environment_arguments, json_option, opened
from holdfast.cli.output import emit
from holdfast.values.visible import visible

if TYPE_CHECKING:
    from holdfast.environment import Environment
    from holdfast.policy.alerts import Alerts
    from holdfast.watch.state.records import Alert


@click.group("alerts")
def alerts_command() -> None:
    """Try how people are told, or show what they were told."""


@alerts_command.command("test")
@environment_arguments
@click.option(
    "--severity", type=click.Choice(["page", "notify"]), default="page", help="By which route.", show_default=True
)
@json_option
def alerts_test(policy: Path, environment: str, severity: Literal["page", "notify"], as_json: bool) -> None:
    """Send a test message by the route of a severity, and say whom it reached."""
    from holdfast.alerting import Message, deliver

    place = opened(policy, environment)
    conn_id, tag = _alerts(place).route(severity)
    body = (
        f"This is a test of the route for messages of severity {severity} of {place.title}.\n"
        "Nothing is wrong, and there is nothing to do."
    )
    message = Message(f"[test] {place.title}: alerts arrive", body, "test")
    reached = deliver(place.connections.get(conn_id), tag, message)
    if as_json:
        emit({"severity": severity, "connection": conn_id, "tag": tag, "delivered": list(reached)})
        return
    tagged = f", tag {tag}" if tag is not None else ""
    click.echo(f"delivered by connection {conn_id}{tagged}: {', '.join(reached)}")


@alerts_command.command("show")
@environment_arguments
@json_option
def alerts_show(policy: Path, environment: str, as_json: bool) -> None:
    """Show the open alerts of ENV as the watch remembers them: what was said, when, and what waits to be said."""
    from datetime import UTC, datetime

    from holdfast.watch.state.book import Book

    place = opened(policy, environment)
    book = Book(place.store, place.keys, place.verifier())
    record = book.newest(datetime.now(UTC))
    standing = [alert for alert in record.alerts if alert.is_open or alert.owes is not None]
    if as_json:
        emit(
            {
                "alerts": [alert.model_dump(mode="json") for alert in standing],
                "failing": [route.model_dump(mode="json") for route in record.failing],
            }
        )
        return
    for key, fault in sorted(book.faults.items()):
        click.echo(visible(f"not ours: {key}: {fault}"), err=True)
    for alert in standing:
        click.echo(visible(_line(alert)))
    for route in record.failing:
        since = f"{route.since:%Y-%m-%d %H:%M} UTC"
        click.echo(visible(f"route {route.severity} fails since {since}: {route.text}"), err=True)
    if not standing:
        click.echo("no open alert", err=True)


def _line(alert: Alert) -> str:
    from holdfast.evidence.figures import moment
    from holdfast.watch.messages import headline

    last = f"last said {moment(alert.said_at)}" if alert.said_at is not None else "not said yet"
    waits = f", waits: {alert.owes}" if alert.owes is not None else ""
    about = headline(alert.findings[0])
    return f"{alert.severity:<6}  {alert.thread}  raised {moment(alert.raised_at)}, {last}{waits}: {about}"


def _alerts(place: Environment) -> Alerts:
    from holdfast.errors import UsageError

    if place.policy.alerts is None:
        raise UsageError(
            f"{place.title}: the policy has no section alerts, so nobody is told of anything",
            hint="docs/alerts.md shows how it is set up.",
        )
    return place.policy.alerts
