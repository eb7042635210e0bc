"""Point-in-time recovery: a cluster as it was at any instant of its window, from a base backup and WAL."""

from typing import TYPE_CHECKING

from holdfast.late_imports import late_imports

if TYPE_CHECKING:
    from holdfast.pitr.planning import RecoveryPlan, plan_recovery
    from holdfast.pitr.recovering import recover
    from holdfast.pitr.replayed import ReplayedServer, replayed_server
    from holdfast.pitr.report import Recovered
    from holdfast.pitr.tables import Extracted, extract_tables
    from holdfast.pitr.target import Target, parse_target

__all__ = [
    "Extracted",
    "Recovered",
    "RecoveryPlan",
    "ReplayedServer",
    "Target",
    "extract_tables",
    "parse_target",
    "plan_recovery",
    "recover",
    "replayed_server",
]

_PLACES = {
    "Extracted": "tables",
    "extract_tables": "tables",
    "Recovered": "report",
    "RecoveryPlan": "planning",
    "ReplayedServer": "replayed",
    "Target": "target",
    "parse_target": "target",
    "plan_recovery": "planning",
    "recover": "recovering",
    "replayed_server": "replayed",
}
__getattr__ = late_imports(__name__, _PLACES)
