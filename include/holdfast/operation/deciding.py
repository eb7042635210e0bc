"""Makes the plan of any kind of operation: from the store and the live application as they are now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from pydantic import JsonValue, ValidationError

from holdfast.environment import Environment
from holdfast.errors import UsageError
from holdfast.evidence.visible import prose
from holdfast.manifest.evidence import OperationKind
from holdfast.manifest.model import Record
from holdfast.operation.identity import connection_faults, source_faults
from holdfast.operation.plans import Plan
from holdfast.operation.records import OperationOpen
from holdfast.progress import Progress, Silent
from holdfast.values.ids import RestorePointId

Request = Mapping[str, JsonValue]
_SILENT = Silent()
OTHER_SOURCE = "other_source"
"""The part of a request that says: live is meant, though the restore point was taken of another database."""
_OF_A_SOURCE: frozenset[OperationKind] = frozenset({"restore", "rollback", "restore_tables", "recover_rows"})


def make_plan(
    environment: Environment,
    kind: OperationKind,
    point: RestorePointId,
    request: Request,
    *,
    is_restored: bool = False,
    progress: Progress = _SILENT,
) -> Plan:
    """What an operation of that kind would do now; nothing live and nothing in the store is written.

    ``is_restored``: what takes the place of what is live lies beside it already, and needs no more room. Raises
    UsageError for a request that cannot be meant, and what looking at store and database raises.
    """
    return examined(environment, point, request, _MAKERS[kind](environment, point, request, is_restored, progress))


def examined(environment: Environment, point: RestorePointId, request: Request, plan: Plan) -> Plan:
    """The plan with what speaks against the databases themselves, whatever is to be done to them.

    That live is not what was backed up is a fault, or where the request says that it is meant, part of the plan.
    """
    elsewhere = source_faults(environment, point) if plan.kind in _OF_A_SOURCE else ()
    if elsewhere and request.get(OTHER_SOURCE):
        said = "".join(f"- **{prose(fault)}.** Whoever asked for it says that this is meant.\n" for fault in elsewhere)
        plan, elsewhere = plan.model_copy(update={"body": f"{plan.body.rstrip()}\n\n{said}"}), ()
    return plan.model_copy(update={"faults": (*connection_faults(environment), *elsewhere, *plan.faults)})


def plan_of(environment: Environment, opened: OperationOpen, *, is_restored: bool, progress: Progress) -> Plan:
    """The same for an operation that was opened."""
    return make_plan(environment, opened.kind, opened.point, opened.request, is_restored=is_restored, progress=progress)


def parsed[Asked: Record](request: Request, kind: type[Asked]) -> Asked:
    """A request as its kind of operation reads it; raises UsageError naming the field."""
    try:
        return kind.model_validate({name: value for name, value in request.items() if name != OTHER_SOURCE})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "request"
        raise UsageError(f"{field}: {first['msg']}") from None


def _restore(
    environment: Environment, point: RestorePointId, request: Request, is_restored: bool, progress: Progress
) -> Plan:
    from holdfast.operation.switch.planning import plan_switch
    from holdfast.operation.switch.request import what_in

    return plan_switch(environment, point, what=what_in(request), is_restored=is_restored)


def _switch_back(
    environment: Environment, point: RestorePointId, request: Request, is_restored: bool, progress: Progress
) -> Plan:
    from holdfast.operation.switch.back import plan_switch_back
    from holdfast.operation.switch.request import what_in

    return plan_switch_back(environment, point, what=what_in(request))


def _rollback(
    environment: Environment, point: RestorePointId, request: Request, is_restored: bool, progress: Progress
) -> Plan:
    from holdfast.operation.rollback import plan_rollback
    from holdfast.operation.switch.planning import plan_switch

    compared = plan_rollback(environment, point, progress, is_counted=not is_restored)
    if not compared.facts.get("schema_changed"):
        return compared
    switched = plan_switch(environment, point, kind="rollback", is_restored=is_restored)
    return switched.model_copy(
        update={
            "body": f"{compared.body.rstrip()}\n\n{switched.body}",
            "notes": f"{compared.notes.rstrip()}\n\n{switched.notes}".lstrip(),
            "facts": {**switched.facts, **compared.facts},
            "faults": (*compared.faults, *switched.faults),
        }
    )


def _restore_tables(
    environment: Environment, point: RestorePointId, request: Request, is_restored: bool, progress: Progress
) -> Plan:
    from holdfast.operation.tables import TablesRequest, plan_tables

    return plan_tables(environment, point, parsed(request, TablesRequest), progress=progress)


def _recover_rows(
    environment: Environment, point: RestorePointId, request: Request, is_restored: bool, progress: Progress
) -> Plan:
    from holdfast.operation.rows import RowsRequest, plan_rows

    return plan_rows(environment, point, parsed(request, RowsRequest), progress=progress)


def _undo_rows(
    environment: Environment, point: RestorePointId, request: Request, is_restored: bool, progress: Progress
) -> Plan:
    from holdfast.operation.rows import plan_undo_rows

    return plan_undo_rows(environment, RestorePointId.parse(str(request.get("of", ""))))


def _guarded_migration(
    environment: Environment, point: RestorePointId, request: Request, is_restored: bool, progress: Progress
) -> Plan:
    from holdfast.operation.migration import plan_migration

    return plan_migration(environment, point)


_MAKERS: Mapping[OperationKind, Callable[[Environment, RestorePointId, Request, bool, Progress], Plan]] = (
    MappingProxyType(
        {
            "restore": _restore,
            "switch_back": _switch_back,
            "rollback": _rollback,
            "restore_tables": _restore_tables,
            "recover_rows": _recover_rows,
            "undo_rows": _undo_rows,
            "guarded_migration": _guarded_migration,
        }
    )
)
