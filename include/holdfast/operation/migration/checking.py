"""Checks of the live application: the policy's commands, and its queries, which can only read."""

from __future__ import annotations

from dataclasses import replace

from holdfast.drill.checks.queries import check_queries
from holdfast.drill.outcome import Outcome, blames_operation
from holdfast.environment import Environment
from holdfast.manifest.evidence import Fact, Finding
from holdfast.operation.live import live_target
from holdfast.operation.migration.command import live_command
from holdfast.policy.restore import Migration
from holdfast.postgres.conninfo import Target
from holdfast.progress import Progress, Silent
from holdfast.recovery import CommandOutcome

_SILENT = Silent()
_SHOWN_LINES = 20


def check_live(environment: Environment, progress: Progress = _SILENT) -> Outcome:
    """Run ``migration.checks``, and ``drill.queries`` in transactions that cannot write, on the live database.

    Raises UsageError for a command that cannot be started here, DatabaseUnavailable where the server goes away.
    """
    live, rules, drill = live_target(environment), environment.policy.migration, environment.policy.drill
    outcomes = [] if rules is None else [_run(rules, live, line, progress) for line in rules.checks]
    if drill is not None and drill.queries:
        asked = check_queries(live, drill.queries, progress)
        outcomes.append(replace(asked, findings=tuple(map(_about_live, asked.findings))))
    return Outcome.merged(outcomes)


def _run(rules: Migration, live: Target, line: str, progress: Progress) -> Outcome:
    progress.begin(f"run {line}")
    with live_command(rules, live, line) as command:
        done = command.run()
    progress.end(f"exit status {done.status}")
    facts: dict[str, Fact] = {f"check {line}": "passed" if done.status == 0 else "failed"}
    return Outcome(failures(line, done, f"{rules.timeout}"), done.said[-_SHOWN_LINES:], facts)


def failures(line: str, done: CommandOutcome, timeout: str) -> tuple[Finding, ...]:
    """The finding for a command that did not succeed; its last words say why, or stand close by."""
    if done.status == 0:
        return ()
    last = " / ".join([each.strip()[:300] for each in done.said if each.strip()][-3:]) or "it said nothing"
    if done.timed_out:
        text = f"{line}: did not end within {timeout}, and was ended with all it ran; what it had done stands: {last}"
    else:
        text = f"{line}: failed with exit status {done.status}: {last}"
    return (blames_operation(text),)


def _about_live(finding: Finding) -> Finding:
    """The queries are written for drills; what they find here is not said of a restore point."""
    text = finding.text.replace(
        "either the restored database lost it, or the policy's query never fitted the application",
        "either the live database has it no more, or the policy's query does not fit the application",
    ).replace("it fails on the restored data", "it fails on the live data")
    return blames_operation(text)
