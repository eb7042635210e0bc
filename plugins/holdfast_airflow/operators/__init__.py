"""Operators: each assigns in ``__init__`` and calls one function of the engine in ``execute``."""

from holdfast_airflow.operators.base_backup import CommitBaseBackupOperator, StoreBaseBackupOperator
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
from holdfast_airflow.operators.drop_replaced import DropReplacedOperator
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
from holdfast_airflow.operators.operation import OperationStepOperator
from holdfast_airflow.operators.operation_around import NeededOperator, OpenRehearsalOperator, OpenReturnOperator
from holdfast_airflow.operators.operation_evidence import OperationEvidenceOperator
from holdfast_airflow.operators.operation_open import (
    OpenMigrationOperator,
    OpenOperationSnapshotOperator,
    OpenRestoreOperator,
    OpenRollbackOperator,
    OpenSwitchBackOperator,
)
from holdfast_airflow.operators.operation_steps import (
    ApplyOperator,
    CheckLiveOperator,
    FollowUpOperator,
    MigrateOperator,
    PlanOperator,
    RestoreBesideOperator,
    RestoreMediaBesideOperator,
    SwitchBackOperator,
    SwitchMediaBackOperator,
    SwitchMediaOperator,
    SwitchOperator,
)
from holdfast_airflow.operators.outcome import OutcomeOperator
from holdfast_airflow.operators.pitr_open import OpenPitrDrillOperator
from holdfast_airflow.operators.pitr_steps import (
    CheckPagesOperator,
    CheckRecoveredOperator,
    RecoverToInstantOperator,
)
from holdfast_airflow.operators.row_counts import RowCountsOperator
from holdfast_airflow.operators.store_guard import StoreGuardOperator
from holdfast_airflow.operators.verify_list import VerifyListOperator
from holdfast_airflow.operators.wal_check import WalCheckOperator
from holdfast_airflow.operators.wal_stream import StreamWalOperator
from holdfast_airflow.operators.watch import WatchOperator

__all__ = [
    "ApplyOperator",
    "CheckDatabaseOperator",
    "CheckLiveOperator",
    "CheckPagesOperator",
    "CheckRecoveredOperator",
    "CloseDrillOperator",
    "CommitBaseBackupOperator",
    "DropReplacedOperator",
    "DumpOperator",
    "EvidenceOperator",
    "ExpireOperator",
    "FirstInstantOperator",
    "FollowUpOperator",
    "InventoryOperator",
    "ManifestOperator",
    "MediaCheckOperator",
    "MediaSnapshotOperator",
    "MediaSyncOperator",
    "MigrateOperator",
    "NeededOperator",
    "OpenDrillOperator",
    "OpenMigrationOperator",
    "OpenOperationSnapshotOperator",
    "OpenPitrDrillOperator",
    "OpenRehearsalOperator",
    "OpenRestoreOperator",
    "OpenRestorePointOperator",
    "OpenReturnOperator",
    "OpenRollbackOperator",
    "OpenRowsOperator",
    "OpenSnapshotOperator",
    "OpenSwitchBackOperator",
    "OpenTablesOperator",
    "OpenUndoOperator",
    "OperationEvidenceOperator",
    "OperationStepOperator",
    "OutcomeOperator",
    "PlanOperator",
    "QueriesOperator",
    "RecoverToInstantOperator",
    "RecoveryEnvironmentOperator",
    "RecoverySettingsOperator",
    "RemoveRecoveryOperator",
    "RestoreBesideOperator",
    "RestoreDatabaseOperator",
    "RestoreMediaBesideOperator",
    "RestoreMediaOperator",
    "RowCountsOperator",
    "RunCommandOperator",
    "StoreBaseBackupOperator",
    "StoreGuardOperator",
    "StreamWalOperator",
    "SwitchBackOperator",
    "SwitchMediaBackOperator",
    "SwitchMediaOperator",
    "SwitchOperator",
    "VerifyListOperator",
    "WalCheckOperator",
    "WatchOperator",
]
