"""The drafts of a drill: how it was opened, and what each of its steps leaves in the store for the next."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from holdfast.catalog.drafts import read_draft, replace_draft, write_draft
from holdfast.environment import Environment
from holdfast.errors import ObjectExists, UsageError
from holdfast.manifest.evidence import DrillKind, Step, Surroundings, TableRows
from holdfast.manifest.model import Record
from holdfast.manifest.pitr import PitrTried, Replayed
from holdfast.values.ids import RestorePointId

OPEN = "open"
_PREFIX = "draft-"
Media = Literal["none", "sample", "all"]
Approval = Literal["asked", "not asked"]


class DrillOpen(Record):
    """A drill that was begun: which restore point, who asked for it and why.

    Of a recovery to an instant (``pitr``), the restore point is the base backup that it begins with.
    """

    id: str
    kind: DrillKind
    app: str
    environment: str
    restore_point: str
    restore_point_taken_at: datetime
    manifest_sha256: str
    source_version: str
    media: Media
    reason: str | None
    requested_by: str | None
    origin: str
    approval: Approval
    opened_at: datetime
    pitr: PitrTried | None = None

    @property
    def point(self) -> RestorePointId:
        """The restore point that is tried."""
        return RestorePointId.parse(self.restore_point)

    @property
    def instant(self) -> PitrTried:
        """The instant that is recovered to; raises UsageError where a restore point is tried."""
        if self.pitr is None:
            raise UsageError(f"drill {self.id}: it restores a restore point, and recovers to no instant")
        return self.pitr


class StepDraft(Record):
    """One step that was taken, with what only the evidence needs of it."""

    drill: str
    step: Step
    tables: tuple[TableRows, ...] = ()
    surroundings: Surroundings | None = None
    replayed: Replayed | None = None


def write_open(environment: Environment, opened: DrillOpen) -> None:
    """Store how the drill was opened; a second attempt of the same run finds its own."""
    key = _key(environment, RestorePointId.parse(opened.id), OPEN)
    try:
        write_draft(environment.store, key, opened, environment.signer())
    except ObjectExists:
        read_open(environment, RestorePointId.parse(opened.id))


def find_open(environment: Environment, drill: RestorePointId) -> DrillOpen | None:
    """How the drill was opened; None where it was not, or elsewhere. Raises SignatureError or IntegrityError."""
    opened = read_draft(environment.store, _key(environment, drill, OPEN), DrillOpen, environment.verifier())
    place = (environment.app, environment.name, str(drill))
    return opened if opened is not None and (opened.app, opened.environment, opened.id) == place else None


def read_open(environment: Environment, drill: RestorePointId) -> DrillOpen:
    """How the drill was opened; raises UsageError where it was not, or belongs elsewhere."""
    opened = find_open(environment, drill)
    if opened is None:
        raise UsageError(
            f"drill {environment.title}/{drill}: nobody has opened it",
            hint="A drill begins with its task pick, or with `holdfast drill`.",
        )
    return opened


def write_step(environment: Environment, drill: RestorePointId, draft: StepDraft) -> None:
    """Store what a step found in place of what an earlier attempt of it left."""
    replace_draft(environment.store, _key(environment, drill, draft.step.name), draft, environment.signer())


def read_step(environment: Environment, drill: RestorePointId, name: str) -> StepDraft | None:
    """What a step left; None where it has not run to its end."""
    found = read_draft(environment.store, _key(environment, drill, name), StepDraft, environment.verifier())
    return found if found is not None and (found.drill, found.step.name) == (str(drill), name) else None


def remove_step(environment: Environment, drill: RestorePointId, name: str) -> None:
    """Let go of what a step left: it has to be taken again."""
    environment.store.delete(_key(environment, drill, name))


def remove_drafts(environment: Environment, drill: RestorePointId) -> None:
    """Let go of the drafts once the evidence stands."""
    prefix = environment.keys.evidence_object(drill, _PREFIX)
    for stored in list(environment.store.list(environment.keys.evidence_of(drill))):
        if stored.key.startswith(prefix):
            environment.store.delete(stored.key)


def _key(environment: Environment, drill: RestorePointId, name: str) -> str:
    return environment.keys.evidence_object(drill, f"{_PREFIX}{name}.json")
