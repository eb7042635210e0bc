"""What the commands that change the live application share: plan without ``--apply``, act with the plan's hash."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from holdfast.cli.arguments import json_option, moment
from holdfast.cli.output import FAILED, Failure, emit
from holdfast.cli.progress import reporter
from holdfast.errors import UsageError
from holdfast.values.visible import visible

if TYPE_CHECKING:
    from pydantic import JsonValue

    from holdfast.environment import Environment
    from holdfast.manifest.evidence import OperationKind, Window
    from holdfast.operation import OperationFacts, Plan
    from holdfast.values.ids import RestorePointId

Decorated = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Applying:
    """What was said about applying: the plan's hash, None to plan only, and the people who answer for it."""

    sha256: str | None
    i_am: str | None
    approved_by: tuple[str, ...]
    reason: str | None
    other_source: bool
    window: str | None
    ticket: str | None
    as_json: bool

    def demand_complete(self) -> None:
        """Raise UsageError where people are named without a plan, or a plan is to be applied by nobody."""
        if self.sha256 is None:
            if self.i_am or self.approved_by:
                raise UsageError("--i-am and --approved-by go with --apply", hint="Without --apply it only plans.")
            return
        if not self.i_am or not self.approved_by:
            raise UsageError(
                "--apply needs --i-am WHO and --approved-by WHO",
                hint="Show the plan to somebody who may approve it, and name that person.",
            )


def applying_options(command: Decorated) -> Decorated:
    """``--apply HASH --i-am WHO --approved-by WHO``, why and when, and ``--json``; handed over as one Applying."""

    def gathered(
        *arguments: Any,
        apply_sha256: str | None,
        i_am: str | None,
        approved_by: tuple[str, ...],
        reason: str | None,
        other_source: bool,
        window: str | None,
        ticket: str | None,
        as_json: bool,
        **others: Any,
    ) -> Any:
        applying = Applying(apply_sha256, i_am, approved_by, reason, other_source, window, ticket, as_json)
        applying.demand_complete()
        return command(*arguments, applying=applying, **others)

    gathered.__doc__, gathered.__name__ = command.__doc__, command.__name__
    options = (
        click.option("--apply", "apply_sha256", metavar="HASH", help="Do what the plan with this hash says."),
        click.option("--i-am", metavar="WHO", help="Who asks for it."),
        click.option(
            "--approved-by", multiple=True, metavar="WHO", help="Who has agreed to the plan; another person, or two."
        ),
        click.option("--reason", metavar="TEXT", help="Why; it stands in the evidence."),
        click.option(
            "--other-source",
            is_flag=True,
            help="Live is meant, though ID was taken of another server or a database of another name.",
        ),
        click.option("--window", metavar="FROM/TO", help="The change window; outside of it nothing live is changed."),
        click.option("--ticket", metavar="TEXT", help="What allows the change window."),
        json_option,
    )
    decorated: Decorated = gathered
    for option in reversed(options):
        decorated = option(decorated)
    return decorated


def plan_or_apply(
    place: Environment,
    kind: OperationKind,
    point: RestorePointId,
    request: Mapping[str, JsonValue],
    applying: Applying,
) -> None:
    """Print the plan, or do what it says and print what came of it; exit status 1 where that cannot be."""
    from holdfast.operation import People, make_plan, run_operation

    if applying.other_source:
        request = {**request, "other_source": True}
    if applying.sha256 is None:
        plan = make_plan(place, kind, point, request, progress=reporter())
        _show_plan(plan, applying)
        if plan.faults:
            raise Failure(FAILED)
        return
    done = run_operation(
        place,
        kind,
        point,
        request,
        expected=applying.sha256,
        people=People(applying.i_am or "", applying.approved_by),
        reason=applying.reason,
        window=_window(applying),
        progress=reporter(),
    )
    _show_done(done, applying)
    if done.evidence.verdict != "passed":
        raise Failure(FAILED)


def _show_plan(plan: Plan, applying: Applying) -> None:
    if applying.as_json:
        emit(
            {
                "plan": plan.sha256,
                "kind": plan.kind,
                "restore_point": plan.restore_point,
                "possible": not plan.faults,
                "faults": list(plan.faults),
                "facts": dict(plan.facts),
                "body": plan.body,
                "notes": plan.notes,
            }
        )
        return
    click.echo(plan.body)
    if plan.notes.strip():
        click.echo(plan.notes)
    for fault in plan.faults:
        click.echo(f"✗ cannot be done: {visible(fault)}")
    click.echo(f"plan {plan.sha256}")
    if not plan.faults:
        click.echo("Nothing was changed. To do it: --apply HASH --i-am WHO --approved-by SOMEBODY_ELSE", err=True)


def _show_done(done: OperationFacts, applying: Applying) -> None:
    if applying.as_json:
        emit(done.as_json())
        return
    for note in done.notes:
        click.echo(f"note: {visible(note)}", err=True)
    for finding in done.evidence.findings:
        click.echo(f"✗ {visible(finding)}")
    for name, fact in done.facts.items():
        click.echo(f"{name}: {visible(str(fact))}")
    click.echo(f"{done.evidence.id}: {done.evidence.verdict}")
    click.echo(f"evidence: {done.evidence.key}")


def _window(applying: Applying) -> Window | None:
    from holdfast.operation import Window

    if applying.window is None:
        if applying.ticket is not None:
            raise UsageError("--ticket goes with --window FROM/TO")
        return None
    begins, slash, ends = applying.window.partition("/")
    if not slash:
        raise UsageError(
            f"--window {applying.window!r}: not of the form FROM/TO",
            hint="Such as 2026-11-22T22:00+01:00/2026-11-23T02:00+01:00.",
        )
    return Window(begins_at=moment(begins), ends_at=moment(ends), ticket=applying.ticket)
