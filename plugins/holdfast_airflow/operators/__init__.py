"""Operators: each assigns in ``__init__`` and calls one function of the engine in ``execute``."""

from holdfast_airflow.operators.drill_evidence import CloseDrillOperator, EvidenceOperator, RemoveRecoveryOperator
from holdfast_airflow.operators.drill_open import OpenDrillOperator
from holdfast_airflow.operators.drill_steps import (
    CheckDatabaseOperator,
    QueriesOperator,
    RecoveryEnvironmentOperator,
    RecoverySettingsOperator,
    RestoreDatabaseOperator,
    RestoreMediaOperator,
    RunCommandOperator,
)
from holdfast_airflow.operators.dump import DumpOperator
from holdfast_airflow.operators.expire import ExpireOperator
from holdfast_airflow.operators.first_instant import FirstInstantOperator
from holdfast_airflow.operators.inventory import InventoryOperator
from holdfast_airflow.operators.manifest import ManifestOperator
from holdfast_airflow.operators.media_check import MediaCheckOperator
from holdfast_airflow.operators.media_snapshot import MediaSnapshotOperator
from holdfast_airflow.operators.media_sync import MediaSyncOperator
from holdfast_airflow.operators.open import OpenRestorePointOperator
from holdfast_airflow.operators.open_rows import OpenRowsOperator, OpenUndoOperator
from holdfast_airflow.operators.open_snapshot import OpenSnapshotOperator
from holdfast_airflow.operators.open_tables import OpenTablesOperator
from holdfast_airflow.operators.outcome import OutcomeOperator
from holdfast_airflow.operators.row_counts import RowCountsOperator
from holdfast_airflow.operators.store_guard import StoreGuardOperator
from holdfast_airflow.operators.verify_list import VerifyListOperator

__all__ = [
    "CheckDatabaseOperator",
    "CloseDrillOperator",
    "DumpOperator",
    "EvidenceOperator",
    "ExpireOperator",
    "FirstInstantOperator",
    "InventoryOperator",
    "ManifestOperator",
    "MediaCheckOperator",
    "MediaSnapshotOperator",
    "MediaSyncOperator",
    "OpenDrillOperator",
    "OpenRestorePointOperator",
    "OpenRowsOperator",
    "OpenSnapshotOperator",
    "OpenTablesOperator",
    "OpenUndoOperator",
    "OutcomeOperator",
    "QueriesOperator",
    "RecoveryEnvironmentOperator",
    "RecoverySettingsOperator",
    "RemoveRecoveryOperator",
    "RestoreDatabaseOperator",
    "RestoreMediaOperator",
    "RowCountsOperator",
    "RunCommandOperator",
    "StoreGuardOperator",
    "VerifyListOperator",
]
