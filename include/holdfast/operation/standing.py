"""Operations that were begun and have not ended: a killed command is gone on with, not begun once more."""

from __future__ import annotations

from contextlib import suppress

from holdfast.environment import Environment
from holdfast.errors import HoldfastError
from holdfast.manifest.evidence import OperationKind
from holdfast.operation.plans import find_plan
from holdfast.operation.records import find_operation
from holdfast.values.ids import RestorePointId

_PLAN = "draft-planned.json"


def find_standing(
    environment: Environment, kind: OperationKind, point: RestorePointId, sha256: str
) -> RestorePointId | None:
    """The newest operation of a command line that was begun with just this plan and has not ended; else None."""
    prefix = environment.keys.evidence
    found = []
    for stored in environment.store.list(prefix):
        folder, _, name = stored.key[len(prefix) :].partition("/")
        operation = RestorePointId.recognised(folder)
        if name == _PLAN and operation is not None and operation.tier == kind:
            found.append(operation)
    for operation in sorted(found, reverse=True):
        with suppress(HoldfastError):  # what nobody of ours has written is nothing to go on with
            opened, plan = find_operation(environment, operation), find_plan(environment, operation)
            if opened is None or plan is None or opened.approval != "attested":
                continue
            if (opened.point, plan.sha256) == (point, sha256.strip().lower()):
                return operation
    return None
