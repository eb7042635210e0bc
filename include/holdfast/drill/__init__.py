"""Drills: restore a restore point for real in a recovery environment, check it, record evidence."""

from typing import TYPE_CHECKING

from holdfast.late_imports import late_imports

if TYPE_CHECKING:
    from holdfast.drill.closing import ClosingFacts, approval_plan, close_drill
    from holdfast.drill.gathering import EvidenceFacts, record_evidence
    from holdfast.drill.naming import StepName, gates_of, steps_of
    from holdfast.drill.opening import open_drill
    from holdfast.drill.pitr.opening import open_pitr_drill
    from holdfast.drill.steps import (
        check_database,
        check_pages,
        check_queries,
        check_recovered,
        recover_to_instant,
        recovery_environment,
        recovery_settings,
        remove_recovery,
        restore_database,
        restore_media,
        run_command,
    )
    from holdfast.drill.whole import run_drill, run_pitr_drill, run_restore_check

__all__ = [
    "ClosingFacts",
    "EvidenceFacts",
    "StepName",
    "approval_plan",
    "check_database",
    "check_pages",
    "check_queries",
    "check_recovered",
    "close_drill",
    "gates_of",
    "open_drill",
    "open_pitr_drill",
    "record_evidence",
    "recover_to_instant",
    "recovery_environment",
    "recovery_settings",
    "remove_recovery",
    "restore_database",
    "restore_media",
    "run_command",
    "run_drill",
    "run_pitr_drill",
    "run_restore_check",
    "steps_of",
]

_PLACES = {
    "ClosingFacts": "closing",
    "EvidenceFacts": "gathering",
    "StepName": "naming",
    "approval_plan": "closing",
    "check_database": "steps",
    "check_pages": "steps",
    "check_queries": "steps",
    "check_recovered": "steps",
    "close_drill": "closing",
    "gates_of": "naming",
    "open_drill": "opening",
    "open_pitr_drill": "pitr.opening",
    "record_evidence": "gathering",
    "recover_to_instant": "steps",
    "recovery_environment": "steps",
    "recovery_settings": "steps",
    "remove_recovery": "steps",
    "restore_database": "steps",
    "restore_media": "steps",
    "run_command": "steps",
    "run_drill": "whole",
    "run_pitr_drill": "whole",
    "run_restore_check": "whole",
    "steps_of": "naming",
}
__getattr__ = late_imports(__name__, _PLACES)
