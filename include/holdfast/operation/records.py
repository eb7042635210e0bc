"""How an operation on the live application was opened: what was asked for, by whom, why and within which window."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field, JsonValue

from holdfast.catalog.drafts import read_draft, write_draft
from holdfast.environment import Environment
from holdfast.errors import ObjectExists, UsageError
from holdfast.manifest.evidence import OperationKind, Window
from holdfast.manifest.model import Record
from holdfast.values.ids import RestorePointId

__all__ = ["OperationKind", "OperationOpen", "Window", "find_operation", "read_operation", "write_operation"]

_OPEN = "draft-open.json"


class OperationOpen(Record):
    """An operation that was begun. ``approval`` is ``attested`` where people at a command line named who agreed."""

    id: str
    kind: OperationKind
    app: str
    environment: str
    restore_point: str
    restore_point_taken_at: datetime
    manifest_sha256: str
    source_version: str
    request: dict[str, JsonValue] = Field(default_factory=dict)
    reason: str | None
    requested_by: str | None
    origin: str
    approval: Literal["asked", "attested"]
    window: Window | None
    opened_at: datetime

    @property
    def point(self) -> RestorePointId:
        """The restore point that it goes back to."""
        return RestorePointId.parse(self.restore_point)

    def beside(self, tier: str) -> RestorePointId:
        """The id of what the same run makes under another name, such as its rehearsal or its fresh snapshot."""
        return RestorePointId.make(self.opened_at, tier, self.origin)


def write_operation(environment: Environment, opened: OperationOpen) -> None:
    """Store how it was opened; a second attempt of the same run finds its own."""
    operation = RestorePointId.parse(opened.id)
    key = environment.keys.evidence_object(operation, _OPEN)
    try:
        write_draft(environment.store, key, opened, environment.signer())
    except ObjectExists:
        read_operation(environment, operation)


def find_operation(environment: Environment, operation: RestorePointId) -> OperationOpen | None:
    """How it was opened; None where it was not, or elsewhere. Raises SignatureError or IntegrityError."""
    key = environment.keys.evidence_object(operation, _OPEN)
    opened = read_draft(environment.store, key, OperationOpen, environment.verifier())
    place = (environment.app, environment.name, str(operation))
    return opened if opened is not None and (opened.app, opened.environment, opened.id) == place else None


def read_operation(environment: Environment, operation: RestorePointId) -> OperationOpen:
    """How it was opened; raises UsageError where it was not, or belongs elsewhere."""
    opened = find_operation(environment, operation)
    if opened is None:
        raise UsageError(
            f"operation {environment.title}/{operation}: nobody has opened it, or it has ended",
            hint="An operation begins with its DAG's first task, or with a command and --apply.",
        )
    return opened
