"""The steps of a drill, in their order, under the names that tasks, drafts and evidence bear."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from holdfast.manifest.evidence import PITR_KINDS, DrillKind
from holdfast.policy import EnvironmentPolicy

RECOVERY_ENVIRONMENT = "recovery_environment"
RESTORE_DATABASE = "restore_database"
CHECK_DATABASE = "check_database"
RESTORE_MEDIA = "restore_media"
RECOVERY_SETTINGS = "recovery_settings"
QUERIES = "queries"
RTO = "rto"
RECOVER = "recover_to_instant"
CHECK_PAGES = "check_pages"
CHECK_RECOVERED = "check_recovered"

TITLES = {
    RECOVERY_ENVIRONMENT: "Make the recovery environment",
    RESTORE_DATABASE: "Restore the database",
    CHECK_DATABASE: "Count rows, check sequences, indexes and constraints",
    RESTORE_MEDIA: "Restore media and check references",
    RECOVERY_SETTINGS: "Temporary recovery settings: what commands get and can reach",
    QUERIES: "Verification queries and codes",
    RTO: "Compare with the recovery time objective",
}
# Drills that recover to an instant run no commands, so that no name of theirs can be taken.
PITR_TITLES = {
    RECOVERY_ENVIRONMENT: TITLES[RECOVERY_ENVIRONMENT],
    RECOVER: "Fetch the base backup and replay WAL up to the instant",
    CHECK_PAGES: "Check every page of the cluster",
    CHECK_RECOVERED: "Compare marker and instant, check tables and indexes",
    QUERIES: TITLES[QUERIES],
    RTO: TITLES[RTO],
}
_GATES = ("approve", "approve_second")
# Names that a task of a drill has anyhow.
_TAKEN = {*TITLES, *_GATES, "pick", "evidence", "close", "outcome", "remove_recovery"}


@dataclass(frozen=True, slots=True)
class StepName:
    """One step: its name, its title for people, and for a command its place among the policy's."""

    name: str
    title: str
    command_index: int | None = None


def steps_of(policy: EnvironmentPolicy, kind: DrillKind) -> tuple[StepName, ...]:
    """The steps that a drill of that kind takes in this environment; a step that has nothing to do is none of them."""
    return tuple(_pitr_steps(policy) if kind in PITR_KINDS else _steps(policy, kind))


def gates_of(policy: EnvironmentPolicy) -> tuple[str, ...]:
    """The names of the gates that a drill passes, one for each person who must agree."""
    return _GATES[: policy.approval.needed]


def _steps(policy: EnvironmentPolicy, kind: DrillKind) -> Iterator[StepName]:
    drill = policy.drill
    yield _fixed(RECOVERY_ENVIRONMENT)
    yield _fixed(RESTORE_DATABASE)
    yield _fixed(CHECK_DATABASE)
    if policy.media is not None:
        yield _fixed(RESTORE_MEDIA)
    if drill is None:
        return
    if drill.commands and kind == "restore_drill":
        yield _fixed(RECOVERY_SETTINGS)
        yield from _commands(drill.commands)
    if drill.queries or drill.codes is not None:
        yield _fixed(QUERIES)


def _pitr_steps(policy: EnvironmentPolicy) -> Iterator[StepName]:
    for name in (RECOVERY_ENVIRONMENT, RECOVER, CHECK_PAGES, CHECK_RECOVERED):
        yield StepName(name, PITR_TITLES[name])
    if policy.drill is not None and policy.drill.queries:
        yield StepName(QUERIES, PITR_TITLES[QUERIES])


def _commands(commands: tuple[str, ...]) -> Iterator[StepName]:
    taken = set(_TAKEN)
    for index, command in enumerate(commands):
        plain = re.sub(r"[^a-z0-9]+", "_", command.lower()).strip("_")[:60] or "command"
        numbered = (f"{plain}_{number}" for number in itertools.count(2))
        name = next(name for name in itertools.chain([plain], numbered) if name not in taken)
        taken.add(name)
        yield StepName(name, f"Run {command}", index)


def _fixed(name: str) -> StepName:
    return StepName(name, TITLES[name])
