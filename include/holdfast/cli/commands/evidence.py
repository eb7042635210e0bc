"""``holdfast evidence``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from holdfast.cli.arguments import environment_arguments, id_argument, json_option, opened
from holdfast.cli.output import FAILED, Failure, emit
from holdfast.values import figures

if TYPE_CHECKING:
    from holdfast.environment import Environment
    from holdfast.evidence import EvidenceEntry
    from holdfast.manifest.evidence import Closing, Evidence, Step
    from holdfast.values.ids import RestorePointId

# That of a drill's id.
_ID_WIDTH = 37


@click.group("evidence")
def evidence_command() -> None:
    """List, show and verify the signed evidence of restore drills, restore checks and operations."""


@evidence_command.command("list")
@environment_arguments
@json_option
def evidence_list(policy: Path, environment: str, as_json: bool) -> None:
    """List the evidence of ENV, oldest first, signatures checked."""
    from holdfast.evidence import list_evidence

    found = list_evidence(opened(policy, environment))
    if as_json:
        emit({"evidence": [entry.as_json() for entry in found]})
        return
    if not found:
        click.echo("no evidence yet; `holdfast drill POLICY ENV` makes some", err=True)
    width = max((len(entry.id) for entry in found), default=0)
    for entry in found:
        click.echo(_safe(_line(entry, max(width, _ID_WIDTH))))


@evidence_command.command("show")
@environment_arguments
@id_argument
@click.option("--html", "html", metavar="FILE", help="Write the stored HTML report to FILE instead; - is stdout.")
@json_option
def evidence_show(policy: Path, environment: str, id: str, html: str | None, as_json: bool) -> None:
    """Show the evidence of drill, restore check or operation ID, its signature checked."""
    from holdfast.errors import UsageError
    from holdfast.evidence import read_closing, read_evidence, read_report
    from holdfast.values.ids import RestorePointId

    if html is not None and as_json:
        raise UsageError("--html and --json: only one of them can be shown")
    place, drill = opened(policy, environment), RestorePointId.parse(id)
    if html is not None:
        _write(html, read_report(place, drill))
        return
    evidence, closing = read_evidence(place, drill), read_closing(place, drill)
    if as_json:
        closed = json.loads(closing.encode()) if closing is not None else None
        emit({"evidence": json.loads(evidence.encode()), "closing": closed})
        return
    for line in (*_head(evidence), *map(_step, evidence.steps), *_tail(evidence, closing)):
        click.echo(_safe(line))


@evidence_command.command("verify")
@environment_arguments
@click.argument("id", metavar="[ID]", required=False)
@json_option
def evidence_verify(policy: Path, environment: str, id: str | None, as_json: bool) -> None:
    """Check that the evidence of ID, or of all that is recorded, is whole, ours and unaltered."""
    from holdfast.evidence import recorded
    from holdfast.values.ids import RestorePointId

    place = opened(policy, environment)
    ids = list(recorded(place)) if id is None else [RestorePointId.parse(id)]
    found = {str(each): faults for each, faults in _verified(place, ids)}
    is_ok = not any(found.values())
    if as_json:
        emit({"ok": is_ok, "evidence": [{"id": each, "faults": faults} for each, faults in found.items()]})
    else:
        _show_verified(found)
    if not is_ok:
        raise Failure(FAILED)


def _verified(place: Environment, ids: list[RestorePointId]) -> Iterator[tuple[RestorePointId, list[str]]]:
    from holdfast.evidence import verify_evidence
    from holdfast.operation.agreement import ledger_faults
    from holdfast.operation.keepsakes import kept_faults

    for id in ids:
        yield id, verify_evidence(place, id) or [*ledger_faults(place, id), *kept_faults(place, id)]


def _show_verified(found: dict[str, list[str]]) -> None:
    if not found:
        click.echo("no evidence yet; there is nothing to verify", err=True)
    for id, faults in found.items():
        if not faults:
            click.echo(f"evidence {id}: genuine, whole and unaltered")
        for fault in faults:
            click.echo(_safe(f"holdfast: error: evidence {id}: {fault}"), err=True)


def _write(where: str, report: bytes) -> None:
    from holdfast.errors import UsageError

    if where == "-":
        click.echo(report, nl=False)
        return
    try:
        Path(where).write_bytes(report)
    except OSError as error:
        raise UsageError(f"--html {where}: {(error.strerror or 'cannot be written').lower()}") from error
    click.echo(f"report written to {_safe(where)}", err=True)


def _line(entry: EvidenceEntry, width: int) -> str:
    from holdfast.evidence.objects import DRILL_KINDS

    never = "not restored" if entry.kind in DRILL_KINDS else "not done"
    took = figures.seconds(entry.restore_seconds) if entry.restore_seconds is not None else never
    said = f"BROKEN: {'; '.join(entry.faults)}" if entry.faults else _approval(entry)
    if entry.verdict is None:
        return f"{entry.id:<{width}}  {said}"
    subject = f"to {entry.instant}" if entry.instant is not None else entry.restore_point
    return f"{entry.id:<{width}}  {entry.verdict:<6}  {took:>12}  {subject:<31}  {said}"


def _approval(entry: EvidenceEntry) -> str:
    if entry.approval == "given":
        return f"approved by {', '.join(entry.approvers)}"
    return {"waiting": "waiting for approval", "not reached": "not approved: it failed"}.get(
        entry.approval, "approval not asked"
    )


def _head(evidence: Evidence) -> Iterator[str]:
    from holdfast.evidence.figures import moment
    from holdfast.evidence.instants import figures_of

    yield f"{evidence.kind.replace('_', ' ')} {evidence.id}: {evidence.verdict.upper()}"
    if evidence.is_pitr:
        yield from (f"{name}: {value}" for name, value in figures_of(evidence))
    else:
        yield f"restore point: {evidence.restore_point}, taken {moment(evidence.restore_point_taken_at)}"
    asked = evidence.requested_by or "nobody by name"
    yield f"requested by: {asked}{f', {evidence.reason}' if evidence.reason else ''}"
    if evidence.window is not None:
        ticket = f", ticket {evidence.window.ticket}" if evidence.window.ticket else ""
        yield f"change window: {moment(evidence.window.begins_at)} to {moment(evidence.window.ends_at)}{ticket}"
    if evidence.plan is not None:
        yield f"plan: {evidence.plan.sha256}"
    if evidence.restore_seconds is not None and evidence.is_drill:
        target = f", RTO {figures.seconds(evidence.rto_seconds)}" if evidence.rto_seconds is not None else ""
        yield f"restore time: {figures.seconds(evidence.restore_seconds)}{target}"


def _step(step: Step) -> str:
    return f"{'✓' if step.outcome == 'passed' else '✗'} {step.title}, {figures.seconds(step.seconds)}"


def _tail(evidence: Evidence, closing: Closing | None) -> Iterator[str]:
    from holdfast.evidence.figures import moment

    for name in evidence.steps_not_run:
        yield f"- {name}: not run"
    for table in evidence.tables:
        if table.found != table.expected:
            yield f"rows of {table.table}: {_rows(table.found)}, expected {_rows(table.expected)}"
    for finding in evidence.findings:
        yield f"finding ({finding.about}): {finding.text}"
    for approval in closing.approvals if closing is not None else evidence.approvals:
        yield f"approved by {approval.approver}, {moment(approval.answered_at)}"
    if closing is None and not evidence.approvals:
        waits = evidence.is_drill and evidence.approval == "asked" and evidence.verdict == "passed"
        yield "approval: waiting" if waits else "approval: none"


def _rows(rows: int | None) -> str:
    return "no such table" if rows is None else figures.count(rows)


def _safe(text: str) -> str:
    """Nothing in evidence may steer the terminal."""
    from holdfast.evidence.visible import visible

    return visible(text)
