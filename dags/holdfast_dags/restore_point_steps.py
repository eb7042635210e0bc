"""The tasks that make a restore point, in their order, and those that stand around them in every tier."""

from __future__ import annotations

from airflow.sdk import BaseOperator

from holdfast_airflow.assets import media_snapshots, restore_points
from holdfast_airflow.operators import (
    DumpOperator,
    ExpireOperator,
    InventoryOperator,
    ManifestOperator,
    MediaSnapshotOperator,
    StoreGuardOperator,
    VerifyListOperator,
)
from holdfast_dags.protected import Protected
from holdfast_dags.tier_dag import RECOVERY_QUEUE

# A template instead of open.output, which would draw an edge from open to every task that takes it.
OPENED = "{{ ti.xcom_pull(task_ids='open') }}"


def store_guard(protected: Protected) -> BaseOperator:
    """The first task of everything that writes to the store."""
    return StoreGuardOperator(task_id="store_guard", **protected.operator_arguments)


def take_restore_point(protected: Protected, open: BaseOperator) -> list[BaseOperator]:
    """``open`` and what follows until the restore point exists, with media and inventory where the policy has them."""
    policy, place = protected.policy, protected.operator_arguments
    asset = restore_points(protected.app, protected.environment)
    media_asset = media_snapshots(protected.app, protected.environment)
    inventory = InventoryOperator(task_id="inventory", restore_point=OPENED, **place) if policy.inventory else None
    dump = DumpOperator(task_id="dump", restore_point=OPENED, **place)
    # After the dump, so that every file that its rows refer to is in the snapshot.
    media = (
        MediaSnapshotOperator(task_id="media", restore_point=OPENED, outlets=[media_asset], **place)
        if policy.media
        else None
    )
    verify_list = VerifyListOperator(task_id="verify_list", restore_point=OPENED, queue=RECOVERY_QUEUE, **place)
    manifest = ManifestOperator(task_id="manifest", restore_point=OPENED, outlets=[asset], **place)
    steps = (open, inventory, dump, media, verify_list, manifest)
    return [step for step in steps if step is not None]


def expire(protected: Protected, **arguments: str) -> BaseOperator:
    """The task that lets go of what is too old."""
    return ExpireOperator(task_id="expire", **arguments, **protected.operator_arguments)
