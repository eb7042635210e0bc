"""Restore: puts a restore point into a new or empty database and proves that it is what the manifest says."""

from typing import TYPE_CHECKING

from holdfast.late_imports import late_imports

if TYPE_CHECKING:
    from holdfast.restore.database import restore_database
    from holdfast.restore.export import fetch_export
    from holdfast.restore.fetch import fetch_artifact
    from holdfast.restore.media import restore_media
    from holdfast.restore.media_beside import MediaBeside, restore_media_beside
    from holdfast.restore.media_replaced import MediaDropped, ReplacedMedia, drop_replaced_media, list_replaced_media
    from holdfast.restore.media_report import MediaRestoreReport
    from holdfast.restore.media_switch import (
        MediaSwitched,
        media_switch_back_state,
        media_switch_state,
        switch_media,
        switch_media_back,
    )
    from holdfast.restore.media_switch_plan import MediaSwitchPlan, plan_media_switch
    from holdfast.restore.report import RestoreReport

__all__ = [
    "MediaBeside",
    "MediaDropped",
    "MediaRestoreReport",
    "MediaSwitchPlan",
    "MediaSwitched",
    "ReplacedMedia",
    "RestoreReport",
    "drop_replaced_media",
    "fetch_artifact",
    "fetch_export",
    "list_replaced_media",
    "media_switch_back_state",
    "media_switch_state",
    "plan_media_switch",
    "restore_database",
    "restore_media",
    "restore_media_beside",
    "switch_media",
    "switch_media_back",
]

_PLACES = {
    "MediaBeside": "media_beside",
    "MediaDropped": "media_replaced",
    "MediaRestoreReport": "media_report",
    "MediaSwitchPlan": "media_switch_plan",
    "MediaSwitched": "media_switch",
    "ReplacedMedia": "media_replaced",
    "RestoreReport": "report",
    "drop_replaced_media": "media_replaced",
    "fetch_artifact": "fetch",
    "fetch_export": "export",
    "list_replaced_media": "media_replaced",
    "media_switch_back_state": "media_switch",
    "media_switch_state": "media_switch",
    "plan_media_switch": "media_switch_plan",
    "restore_database": "database",
    "restore_media": "media",
    "restore_media_beside": "media_beside",
    "switch_media": "media_switch",
    "switch_media_back": "media_switch",
}
__getattr__ = late_imports(__name__, _PLACES)
