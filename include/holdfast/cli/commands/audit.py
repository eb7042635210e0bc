"""``holdfast audit``."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from holdfast.cli.arguments import environment_arguments, json_option, moment, opened
from holdfast.cli.output import FAILED, Failure, emit
from holdfast.values import figures
from holdfast.values.visible import visible

if TYPE_CHECKING:
    from pydantic import JsonValue

    from holdfast.audit import Anchor, Entry, TrailReport
    from holdfast.environment import Environment


@click.group("audit")
def audit_command() -> None:
    """Show and verify the signed record of who triggered, approved, deleted, held, exported and changed what."""


@audit_command.command("show")
@environment_arguments
@click.option("--since", metavar="TIMESTAMP", help="Only what was recorded then or later; with a UTC offset.")
@click.option("--action", metavar="ACTION", help="Only this, such as deleted or approved.")
@click.option("--who", metavar="NAME", help="Only what this person did.")
@click.option("--last", type=click.IntRange(1), metavar="N", help="Only the newest N of them.")
@json_option
def audit_show(
    policy: Path,
    environment: str,
    since: str | None,
    action: str | None,
    who: str | None,
    last: int | None,
    as_json: bool,
) -> None:
    """Show the audit trail of ENV, oldest first; each signature is checked, the chain by `holdfast audit verify`."""
    from holdfast.audit import read_trail

    after = moment(since) if since is not None else None
    _demand_action(action)
    is_filtered = not (after is None and action is None and who is None)
    entries = read_trail(opened(policy, environment), newest=None if is_filtered else last)
    found = [entry for entry in entries if _fits(entry, after, action, who)][-(last or 0) :]
    if as_json:
        emit({"records": [_as_json(entry) for entry in found]})
        return
    for entry in found:
        click.echo(visible(_line(entry)))
    if not found:
        click.echo("nothing is recorded" if not is_filtered else "nothing recorded fits", err=True)


@audit_command.command("verify")
@environment_arguments
@click.option("--anchor", metavar="NUMBER:SHA256", help="A record that was noted down, which must still stand.")
@json_option
def audit_verify(policy: Path, environment: str, anchor: str | None, as_json: bool) -> None:
    """Check that no record of ENV was removed, altered or put there by somebody else.

    It prints the newest record's number and hash: noted elsewhere, and given with --anchor, they show also whether
    records were removed from the end. What the watch has noted in its own signed record is looked at, too.
    """
    from holdfast.audit import Anchor, verify_trail

    noted = Anchor.parse(anchor) if anchor is not None else None
    place = opened(policy, environment)
    # Read first: the trail only grows.
    of_watch = _anchor_of_watch(place)
    report = verify_trail(place, noted, of_watch)
    if as_json:
        emit(report.as_json())
    else:
        _show_report(report)
    if not report.is_whole:
        raise Failure(FAILED)


def _anchor_of_watch(place: Environment) -> Anchor | None:
    from holdfast.audit import Anchor
    from holdfast.watch.state.book import Book

    noted = Book(place.store, place.keys, place.verifier()).newest(place.clock()).anchor
    return Anchor.parse(noted) if noted is not None else None


def _demand_action(action: str | None) -> None:
    from holdfast.audit import Action
    from holdfast.errors import UsageError

    known: tuple[str, ...] = get_args(Action)
    if action is not None and action not in known:
        raise UsageError(f"--action {action!r}: no such action", hint=f"There are: {', '.join(known)}.")


def _fits(entry: Entry, since: datetime | None, action: str | None, who: str | None) -> bool:
    """What cannot be read fits always: nothing of it is known."""
    record = entry.record
    if record is None:
        return True
    return (
        (since is None or record.at >= since)
        and (action is None or record.action == action)
        and (who is None or record.who == who)
    )


def _as_json(entry: Entry) -> dict[str, object]:
    record = json.loads(entry.record.encode()) if entry.record is not None else {"number": entry.number}
    return {**record, "signature": entry.signed}


def _line(entry: Entry) -> str:
    record = entry.record
    if record is None:
        return f"{entry.number:>6}  BROKEN: it is no audit record"
    mark = {"signed": "", "unsigned": "  (unsigned)", "broken": "  BROKEN: its signature does not fit"}[entry.signed]
    facts = ", ".join(
        f"{name}: {_fact(value)}" for name, value in record.details.items() if value not in (None, "", [])
    )
    origin = f" {record.run}" if record.run is not None else ""
    return (
        f"{entry.number:>6}  {record.at:%Y-%m-%d %H:%M:%S} UTC  {record.action:<12}  {record.subject}  "
        f"{record.who} ({record.via}, {record.host}{origin})  {facts}{mark}"
    )


def _fact(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _show_report(report: TrailReport) -> None:
    for problem in report.problems:
        click.echo(f"✗ {problem.kind}: {visible(problem.text)}")
    if report.head is None:
        click.echo("no records")
        return
    verdict = "genuine, whole and unaltered" if report.is_whole else f"{len(report.problems)} problems"
    click.echo(f"{'✓' if report.is_whole else '✗'} {figures.count(report.records)} records: {verdict}")
    if report.unsigned:
        unsealed = f", the last {figures.count(report.unsealed)} with no signed one behind" if report.unsealed else ""
        click.echo(f"! {figures.count(report.unsigned)} of them unsigned{unsealed}: made where no signing key is")
    click.echo(f"anchor: {report.head}")
