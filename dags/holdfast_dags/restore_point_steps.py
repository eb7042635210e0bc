"""The tasks that make a restore point, in their order, and those that stand around them in every tier."""

from __future__ import annotations

from airflow.sdk import BaseOperator

from holdfast_airflow.assets import media_snapshots, restore_points
from holdfast_airflow.operators import (
    DropReplacedOperator,
    DumpOperator,
    ExpireOperator,
    InventoryOperator,
    ManifestOperator,
    MediaSnapshotOperator,
    StoreGuardOperator,
    VerifyListOperator,
)
from holdfast_dags.protected import Protected
from holdfast_dags.tier_dag import OPERATION_QUEUE, RECOVERY_QUEUE


def returned_by(task: BaseOperator) -> str:
    """A template of what the task returned; its ``output`` would draw an edge to every task that takes it."""
    return f"{{{{ ti.xcom_pull(task_ids='{task.task_id}') }}}}"


OPENED = "{{ ti.xcom_pull(task_ids='open') }}"


def store_guard(protected: Protected) -> BaseOperator:
    """The first task of everything that writes to the store."""
    return StoreGuardOperator(task_id="store_guard", **protected.operator_arguments)


def take_restore_point(protected: Protected, open: BaseOperator, *, is_damaged: bool = False) -> list[BaseOperator]:
    """``open`` and what follows until the restore point exists, with media and inventory where the policy has them.

    ``is_damaged``: what is backed up may be what has to be restored, so that it may well be suddenly small or empty.
    """
    policy, place = protected.policy, protected.operator_arguments
    asset = restore_points(protected.app, protected.environment)
    media_asset = media_snapshots(protected.app, protected.environment)
    opened = returned_by(open)
    inventory = InventoryOperator(task_id="inventory", restore_point=opened, **place) if policy.inventory else None
    dump = DumpOperator(task_id="dump", restore_point=opened, **place)
    # After the dump, so that every file that its rows refer to is in the snapshot.
    media = (
        MediaSnapshotOperator(task_id="media", restore_point=opened, force=is_damaged, outlets=[media_asset], **place)
        if policy.media
        else None
    )
    verify_list = VerifyListOperator(
        task_id="verify_list", restore_point=opened, accepts_small=is_damaged, queue=RECOVERY_QUEUE, **place
    )
    manifest = ManifestOperator(task_id="manifest", restore_point=opened, outlets=[asset], **place)
    steps = (open, inventory, dump, media, verify_list, manifest)
    return [step for step in steps if step is not None]


def expire(protected: Protected, **arguments: str) -> BaseOperator:
    """The task that lets go of what is too old."""
    return ExpireOperator(task_id="expire", **arguments, **protected.operator_arguments)


def drop_replaced(protected: Protected, **arguments: str) -> list[BaseOperator]:
    """The task that removes what restores have put aside, where the policy speaks of restores at all."""
    if "restore" not in protected.policy.model_fields_set:
        return []
    # Its queue may be served only when somebody needs it: no backup may have to wait for that.
    return [
        DropReplacedOperator(
            task_id="drop_replaced", queue=OPERATION_QUEUE, **arguments, **protected.operator_arguments
        )
    ]
