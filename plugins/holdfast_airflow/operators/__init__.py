"""Operators: each assigns in ``__init__`` and calls one function of the engine in ``execute``."""

from holdfast_airflow.operators.dump import DumpOperator
from holdfast_airflow.operators.expire import ExpireOperator
from holdfast_airflow.operators.inventory import InventoryOperator
from holdfast_airflow.operators.manifest import ManifestOperator
from holdfast_airflow.operators.media_check import MediaCheckOperator
from holdfast_airflow.operators.media_snapshot import MediaSnapshotOperator
from holdfast_airflow.operators.media_sync import MediaSyncOperator
from holdfast_airflow.operators.open import OpenRestorePointOperator
from holdfast_airflow.operators.open_snapshot import OpenSnapshotOperator
from holdfast_airflow.operators.outcome import OutcomeOperator
from holdfast_airflow.operators.row_counts import RowCountsOperator
from holdfast_airflow.operators.store_guard import StoreGuardOperator
from holdfast_airflow.operators.verify_list import VerifyListOperator

__all__ = [
    "DumpOperator",
    "ExpireOperator",
    "InventoryOperator",
    "ManifestOperator",
    "MediaCheckOperator",
    "MediaSnapshotOperator",
    "MediaSyncOperator",
    "OpenRestorePointOperator",
    "OpenSnapshotOperator",
    "OutcomeOperator",
    "RowCountsOperator",
    "StoreGuardOperator",
    "VerifyListOperator",
]
