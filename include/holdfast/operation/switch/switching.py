"""The switch: everything is looked at once more, then what was restored beside takes the live name."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from holdfast.drill.outcome import Outcome
from holdfast.drill.records import read_step
from holdfast.environment import Environment
from holdfast.errors import ApprovalError, RestoreError
from holdfast.manifest.evidence import Fact
from holdfast.operation import steps
from holdfast.operation.deciding import plan_of
from holdfast.operation.going import demand_go
from holdfast.operation.live import live_target
from holdfast.operation.plans import Plan, read_plan
from holdfast.operation.proof import demand_rehearsal, demand_snapshot, find_rehearsal, find_snapshot, has_live
from holdfast.operation.records import OperationOpen
from holdfast.operation.switch.marking import marker_of
from holdfast.operation.switch.planning import plan_switch
from holdfast.operation.switch.rights import kept_rights
from holdfast.operation.telling import tell_change
from holdfast.postgres.conninfo import Target
from holdfast.postgres.databases import DatabaseIdentity
from holdfast.postgres.switching import Switched, exclusive, find_state, switch, take_name
from holdfast.progress import Progress
from holdfast.restore.clean import restore_clean
from holdfast.restore.media_switch import media_switch_state
from holdfast.restore.media_switch import switch_media as exchange_media
from holdfast.values.ids import RestorePointId


def demand_proven(environment: Environment, opened: OperationOpen, *, with_media: bool = False) -> None:
    """Raise IntegrityError unless a fresh snapshot stands behind it, and a rehearsal where a DAG makes one.

    Where the live database is gone, there is nothing to take a snapshot of.
    """
    if has_live(read_plan(environment, RestorePointId.parse(opened.id))):
        demand_snapshot(environment, opened, with_media=with_media)
    if opened.approval == "asked" and environment.policy.restore.rehearsal == "recovery" and not _is_return(opened):
        demand_rehearsal(environment, opened)


def switch_database(environment: Environment, opened: OperationOpen, progress: Progress) -> Outcome:
    """Put the restored database in the live one's place. Raises ApprovalError or RestoreError, live being as it was."""
    operation, target = RestorePointId.parse(opened.id), live_target(environment)
    planned = read_plan(environment, operation)
    with exclusive(target, environment.app, environment.name):
        if environment.policy.restore.method == "clean":
            return _over(environment, opened, progress)
        beside = _beside(environment, operation, planned)
        live, keep_as = live_of(planned, target.database), str(planned.facts["kept_as"])
        if live is not None and find_state(target, live=live, beside=beside, keep_as=keep_as) == "done":
            return Outcome(notes=("it had been switched before",), facts=_facts(beside, keep_as))
        demand_go(environment, operation, plan_of(environment, opened, is_restored=True, progress=progress))
        demand_proven(environment, opened)
        tell_change(environment, opened, steps.SWITCH)
        progress.begin("switch")
        done = _switch(environment, opened, target, live, beside, keep_as)
        progress.end(f"live was unavailable for {done.unavailable_seconds:.2f} s")
    facts = {
        **_facts(beside, keep_as if live is not None else None),
        **proven_by(environment, opened),
        "unavailable_seconds": round(done.unavailable_seconds, 3),
        "ended_sessions": done.ended_sessions,
    }
    return Outcome(notes=done.notes, facts=facts)


def proven_by(environment: Environment, opened: OperationOpen) -> dict[str, Fact]:
    """What stands behind the switch: its rehearsal and fresh snapshot; and how long what it replaces stays."""
    rehearsal, snapshot = find_rehearsal(environment, opened), find_snapshot(environment, opened)
    until = environment.policy.restore.keep_replaced.after(environment.clock())
    return {
        "rehearsal": rehearsal.id if rehearsal is not None else None,
        "snapshot": snapshot.id if snapshot is not None else None,
        "keep_until": until.isoformat(timespec="seconds"),
    }


def switch_media(environment: Environment, opened: OperationOpen, progress: Progress) -> Outcome:
    """Put the restored media in the live directory's place; a rerun goes on. Raises as ``switch_database``."""
    operation = RestorePointId.parse(opened.id)
    planned = read_plan(environment, operation)
    keep_as = str(planned.facts["media_kept_as"])
    if media_switch_state(environment, opened.point, kept_as=keep_as) == "not begun":
        _demand_same_media(environment, opened, planned)
        demand_go(environment, operation, planned)
        demand_proven(environment, opened, with_media=True)
        tell_change(environment, opened, steps.SWITCH_MEDIA)
    done = exchange_media(environment, opened.point, kept_as=keep_as)
    return Outcome(facts={"media": str(done.target), "media_kept": str(done.kept) if done.kept else None})


def live_of(planned: Plan, name: str) -> DatabaseIdentity | None:
    """The live database as it was planned; None where there was none."""
    facts = planned.facts
    if facts.get("live_oid") is None:
        return None
    return DatabaseIdentity(
        str(facts["system_identifier"]), name, int(str(facts["live_oid"])), int(str(facts["server_version_num"]))
    )


def _is_return(opened: OperationOpen) -> bool:
    """Does it take back a failed migration, whose own snapshot was taken a moment before?"""
    return "because" in opened.request


def _beside(environment: Environment, operation: RestorePointId, planned: Plan) -> DatabaseIdentity:
    draft = read_step(environment, operation, steps.RESTORE_BESIDE)
    if draft is None or draft.step.outcome != "passed":
        raise RestoreError(
            f"operation {environment.title}/{operation}: nothing whole was restored beside the live database",
            hint="Run the task restore_beside first.",
        )
    facts = draft.step.facts
    return DatabaseIdentity(
        str(planned.facts["system_identifier"]),
        str(facts["beside"]),
        int(str(facts["beside_oid"])),
        int(str(planned.facts["server_version_num"])),
    )


def _switch(
    environment: Environment,
    opened: OperationOpen,
    target: Target,
    live: DatabaseIdentity | None,
    beside: DatabaseIdentity,
    keep_as: str,
) -> Switched:
    rules, now = environment.policy.restore, environment.clock()
    wait_s = rules.end_sessions.as_seconds
    if live is None:
        return take_name(target, beside=beside, name=target.database, end_sessions_s=wait_s)
    mark = marker_of(opened, "replaced", target.database, rules.keep_replaced.after(now))
    return switch(target, live=live, beside=beside, keep_as=keep_as, end_sessions_s=wait_s, marker=str(mark), now=now)


def _facts(beside: DatabaseIdentity, keep_as: str | None) -> dict[str, Fact]:
    return {"live_oid": beside.oid, "kept_as": keep_as}


def _over(environment: Environment, opened: OperationOpen, progress: Progress) -> Outcome:
    """Where renaming is not allowed: over the live database, in one transaction."""
    operation, target = RestorePointId.parse(opened.id), live_target(environment)
    live = live_of(read_plan(environment, operation), target.database)
    if live is None:
        raise RestoreError(f"{target.describe()}: there is no database to restore over")

    def demand() -> None:
        demand_go(environment, operation, plan_of(environment, opened, is_restored=True, progress=progress))
        demand_proven(environment, opened)

    def go() -> None:
        demand()
        tell_change(environment, opened, steps.SWITCH)

    demand()  # before anything is fetched, and once more before the first write
    done = restore_clean(
        environment,
        opened.point,
        live=target,
        identity=live,
        demand=go,
        keep=partial(kept_rights, environment, operation),
        wait_s=environment.policy.restore.end_sessions.as_seconds,
        progress=progress,
    )
    facts: dict[str, Fact] = {
        "live_oid": live.oid,
        "kept_as": None,
        "tables": done.tables,
        "rows": done.rows,
        "unavailable_seconds": round(done.unavailable_seconds, 3),
    }
    return Outcome(notes=(*done.notes, *done.differences), facts=facts)


def _demand_same_media(environment: Environment, opened: OperationOpen, planned: Plan) -> None:
    """The database may have been switched by now, so that the plan as a whole would come out otherwise."""
    fresh = plan_switch(environment, opened.point, what="media", is_restored=True)
    fresh.demand_possible()
    for name in ("media", "media_inode", "media_kept_as", "media_snapshot"):
        if fresh.facts.get(name) != planned.facts.get(name):
            raise ApprovalError(
                f"operation {opened.id}: {name} was planned as {planned.facts.get(name)}, now it is "
                f"{fresh.facts.get(name)}",
                hint=f"The media at {Path(str(planned.facts.get('media')))} were not touched. Plan anew.",
            )
