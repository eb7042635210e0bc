"""Backup: the steps that make a restore point, each of which can run again after a kill.

The steps share nothing but the store, so they may run on different hosts: each leaves a signed draft
below the restore point for the next, and the manifest, written last, makes the restore point exist.
"""

from typing import TYPE_CHECKING

from holdfast.late_imports import late_imports

if TYPE_CHECKING:
    from holdfast.backup.commit import commit_manifest
    from holdfast.backup.dump import dump_database
    from holdfast.backup.facts import StepFacts
    from holdfast.backup.inventory import InventoryFacts, record_inventory
    from holdfast.backup.media import SyncFacts, snapshot_media, sync_media
    from holdfast.backup.opening import open_restore_point
    from holdfast.backup.run import run_backup
    from holdfast.backup.verification import verify_list

__all__ = [
    "InventoryFacts",
    "StepFacts",
    "SyncFacts",
    "commit_manifest",
    "dump_database",
    "open_restore_point",
    "record_inventory",
    "run_backup",
    "snapshot_media",
    "sync_media",
    "verify_list",
]

_PLACES = {
    "InventoryFacts": "inventory",
    "StepFacts": "facts",
    "SyncFacts": "media",
    "commit_manifest": "commit",
    "dump_database": "dump",
    "open_restore_point": "opening",
    "record_inventory": "inventory",
    "run_backup": "run",
    "snapshot_media": "media",
    "sync_media": "media",
    "verify_list": "verification",
}
__getattr__ = late_imports(__name__, _PLACES)
