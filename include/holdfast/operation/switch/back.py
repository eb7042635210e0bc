"""Switches back: what a restore has put aside becomes live again, and what was restored is kept in its turn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from holdfast.drill.outcome import Outcome
from holdfast.environment import Environment
from holdfast.errors import UsageError
from holdfast.evidence.visible import code, prose
from holdfast.manifest.evidence import Fact
from holdfast.operation import steps
from holdfast.operation.deciding import plan_of
from holdfast.operation.going import demand_go
from holdfast.operation.live import live_target
from holdfast.operation.plans import Plan, read_plan
from holdfast.operation.records import OperationOpen
from holdfast.operation.switch.marking import marker_of, restored_name
from holdfast.operation.switch.request import What, has_database, has_media
from holdfast.operation.switch.switching import live_of
from holdfast.operation.telling import tell_change
from holdfast.postgres.databases import DatabaseIdentity, LiveFacts, look_at_live
from holdfast.postgres.replaced import Replaced, list_replaced
from holdfast.postgres.switching import exclusive, find_state, switch
from holdfast.progress import Progress
from holdfast.restore.media_replaced import ReplacedMedia, list_replaced_media
from holdfast.restore.media_switch import media_switch_back_state
from holdfast.restore.media_switch import switch_media_back as exchange_media_back
from holdfast.values import figures
from holdfast.values.ids import RestorePointId


def replaced_database(environment: Environment) -> Replaced:
    """The live database's newest predecessor that is kept; raises UsageError where there is none."""
    live = live_target(environment)
    kept = [
        each
        for each in list_replaced(live, live.database)
        if (each.app, each.environment) == (environment.app, environment.name)
    ]
    if not kept:
        raise UsageError(
            f"{environment.title}: no replaced database is kept on {live.describe()}, so there is nothing to switch "
            "back to",
            hint="Restore a restore point instead, such as the fresh snapshot that every restore takes first.",
        )
    return kept[-1]


def replaced_media(environment: Environment) -> ReplacedMedia:
    """The newest media that are kept; raises UsageError where there are none."""
    kept = [each for each in list_replaced_media(environment) if not each.is_being_removed]
    if not kept:
        raise UsageError(f"{environment.title}: no replaced media are kept, so there is nothing to switch back to")
    return max(kept, key=lambda each: each.replaced_at)


def point_of_switch(environment: Environment, what: What) -> RestorePointId:
    """The restore point that took the place of what would be switched back to; raises UsageError for nothing kept."""
    kept = replaced_database(environment) if has_database(what) else replaced_media(environment)
    return RestorePointId.parse(kept.restore_point)


def plan_switch_back(environment: Environment, point: RestorePointId, *, what: What = "database") -> Plan:
    """What switching back from ``point`` would do; nothing is written. Raises UsageError where nothing is kept."""
    facts: dict[str, Fact] = {"what": what}
    body = [f"## Switch {prose(environment.title)} back from {code(str(point))}", ""]
    notes, faults = ["### As seen when this was planned", ""], []
    if has_database(what):
        kept, live = replaced_database(environment), look_at_live(live_target(environment))
        keep_as = restored_name(live.identity.name, point, tuple(each.name for each in _all(environment)))
        facts |= _facts(live, kept, keep_as)
        body += _database(live, kept, keep_as)
        faults += [*live.may_rename, *live.hindrances]
        notes.append(f"- Live now: {len(live.sessions)} sessions that would be ended.")
        if kept.size_bytes is not None:
            notes.append(f"- Kept: {figures.size(kept.size_bytes)}.")
    if has_media(what):
        media = replaced_media(environment)
        facts |= {"media_kept": media.name}
        body.append(f"- Media: {code(media.name)} becomes live again; what is live now is kept beside it.")
    body.append("- **Everything written since the restore is lost to the users** until it is taken from what is kept.")
    return Plan(
        kind="switch_back",
        app=environment.app,
        environment=environment.name,
        restore_point=str(point),
        body="\n".join(body) + "\n",
        notes="\n".join(notes) + "\n",
        facts=facts,
        faults=tuple(faults),
    )


def switch_database_back(environment: Environment, opened: OperationOpen, progress: Progress) -> Outcome:
    """Make the kept database live again; raises ApprovalError or RestoreError, all being as it was."""
    operation, target = RestorePointId.parse(opened.id), live_target(environment)
    planned = read_plan(environment, operation)
    live, facts = live_of(planned, target.database), planned.facts
    if live is None:
        raise UsageError(f"operation {opened.id}: there was no live database to switch back from")
    kept = DatabaseIdentity(
        live.system_identifier, str(facts["kept"]), int(str(facts["kept_oid"])), live.server_version_num
    )
    keep_as = str(facts["kept_as"])
    found: dict[str, Fact] = {"live_oid": kept.oid, "kept_as": keep_as}
    with exclusive(target, environment.app, environment.name):
        if find_state(target, live=live, beside=kept, keep_as=keep_as) == "done":
            return Outcome(notes=("it had been switched back before",), facts=found)
        demand_go(environment, operation, plan_of(environment, opened, is_restored=True, progress=progress))
        tell_change(environment, opened, steps.SWITCH_BACK)
        rules, now = environment.policy.restore, environment.clock()
        mark = marker_of(opened, "replaced", target.database, rules.keep_replaced.after(now))
        done = switch(
            target,
            live=live,
            beside=kept,
            keep_as=keep_as,
            end_sessions_s=rules.end_sessions.as_seconds,
            marker=str(mark),
            now=now,
        )
    found |= {"unavailable_seconds": round(done.unavailable_seconds, 3), "ended_sessions": done.ended_sessions}
    return Outcome(notes=done.notes, facts=found)


def switch_media_back(environment: Environment, opened: OperationOpen, progress: Progress) -> Outcome:
    """Put the kept media in the live directory's place again; a rerun goes on."""
    operation = RestorePointId.parse(opened.id)
    planned = read_plan(environment, operation)
    kept = str(planned.facts["media_kept"])
    if media_switch_back_state(environment, kept) == "not begun":
        demand_go(environment, operation, planned)
        tell_change(environment, opened, steps.SWITCH_MEDIA_BACK)
    done = exchange_media_back(environment, kept)
    return Outcome(facts={"media": str(done.target), "media_kept": str(done.kept) if done.kept else None})


def _all(environment: Environment) -> Sequence[Replaced]:
    live = live_target(environment)
    return list_replaced(live, live.database)


def _facts(live: LiveFacts, kept: Replaced, keep_as: str) -> dict[str, Fact]:
    return {
        "database": live.identity.name,
        "live_oid": live.identity.oid,
        "system_identifier": live.identity.system_identifier,
        "server_version_num": live.identity.server_version_num,
        "kept": kept.name,
        "kept_oid": kept.oid,
        "kept_as": keep_as,
    }


def _database(live: LiveFacts, kept: Replaced, keep_as: str) -> Iterator[str]:
    yield (
        f"- {code(kept.name)}, number {kept.oid}, put aside at {kept.replaced_at.isoformat()} by "
        f"{code(kept.operation)}, becomes {code(live.identity.name)} again."
    )
    yield f"- What is live now, number {live.identity.oid}, is kept as {code(keep_as)}."
    yield "- Sessions are ended, both are renamed in one transaction."
