"""Checks on what is live now: is it what was restored, and does it say what the policy expects?"""

from __future__ import annotations

from holdfast.drill.checks.queries import check_queries
from holdfast.drill.outcome import Outcome, blames_operation
from holdfast.drill.records import read_step
from holdfast.environment import Environment
from holdfast.operation import steps
from holdfast.operation.live import live_target
from holdfast.operation.records import OperationOpen
from holdfast.operation.switch.request import has_database, what_in
from holdfast.postgres.conninfo import Target
from holdfast.postgres.databases import demand_identity
from holdfast.progress import Progress
from holdfast.values.ids import RestorePointId


def check_live(environment: Environment, opened: OperationOpen, progress: Progress) -> Outcome:
    """Under the live name: the database that was switched to, and the policy's queries, which only read."""
    if not has_database(what_in(opened.request)):
        return Outcome(notes=("the database was not replaced",))
    backup, live = Target.from_connection(environment.database()), live_target(environment)
    outcomes = []
    switched = _switched_to(environment, opened)
    for target in dict.fromkeys((live.describe(), backup.describe())):
        found = demand_identity(live if target == live.describe() else backup)
        if switched is not None and found.oid != switched:
            text = f"{target}: answers as database number {found.oid}, but number {switched} was made live"
            outcomes.append(Outcome((blames_operation(text),)))
    rules = environment.policy.drill
    if rules is not None and rules.queries:
        asked = check_queries(backup, rules.queries, progress)
        outcomes.append(
            Outcome(tuple(blames_operation(finding.text) for finding in asked.findings), asked.notes, asked.facts)
        )
    outcomes.append(Outcome(facts={"live_oid": switched}))
    return Outcome.merged(outcomes)


def _switched_to(environment: Environment, opened: OperationOpen) -> int | None:
    for name in (steps.SWITCH, steps.SWITCH_BACK):
        draft = read_step(environment, RestorePointId.parse(opened.id), name)
        if draft is not None and draft.step.facts.get("live_oid") is not None:
            return int(str(draft.step.facts["live_oid"]))
    return None
