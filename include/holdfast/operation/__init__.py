"""Operations: what changes the live application, planned, approved by people, done, checked and recorded."""

from typing import TYPE_CHECKING

from holdfast.late_imports import late_imports

if TYPE_CHECKING:
    from holdfast.operation.deciding import make_plan
    from holdfast.operation.opening import open_operation
    from holdfast.operation.plans import Plan, gate_text, read_plan
    from holdfast.operation.recording import record_operation
    from holdfast.operation.records import OperationKind, OperationOpen, Window, read_operation
    from holdfast.operation.steps import names_of, names_of_opened
    from holdfast.operation.switch.back import point_of_switch
    from holdfast.operation.whole import OperationFacts, People, run_operation
    from holdfast.operation.working import take_operation_step

__all__ = [
    "OperationFacts",
    "OperationKind",
    "OperationOpen",
    "People",
    "Plan",
    "Window",
    "gate_text",
    "make_plan",
    "names_of",
    "names_of_opened",
    "open_operation",
    "point_of_switch",
    "read_operation",
    "read_plan",
    "record_operation",
    "run_operation",
    "take_operation_step",
]

_PLACES = {
    "OperationFacts": "whole",
    "OperationKind": "records",
    "OperationOpen": "records",
    "People": "whole",
    "Plan": "plans",
    "Window": "records",
    "gate_text": "plans",
    "make_plan": "deciding",
    "names_of": "steps",
    "names_of_opened": "steps",
    "open_operation": "opening",
    "point_of_switch": "switch.back",
    "read_operation": "records",
    "read_plan": "plans",
    "record_operation": "recording",
    "run_operation": "whole",
    "take_operation_step": "working",
}
__getattr__ = late_imports(__name__, _PLACES)
