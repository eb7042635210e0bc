"""Restore: puts a restore point into a new or empty database and proves that it is what the manifest says."""

from typing import TYPE_CHECKING

from holdfast.late_imports import late_imports

if TYPE_CHECKING:
    from holdfast.restore.database import restore_database
    from holdfast.restore.export import fetch_export
    from holdfast.restore.fetch import fetch_artifact
    from holdfast.restore.media import restore_media
    from holdfast.restore.media_report import MediaRestoreReport
    from holdfast.restore.report import RestoreReport

__all__ = [
    "MediaRestoreReport",
    "RestoreReport",
    "fetch_artifact",
    "fetch_export",
    "restore_database",
    "restore_media",
]

_PLACES = {
    "MediaRestoreReport": "media_report",
    "RestoreReport": "report",
    "fetch_artifact": "fetch",
    "fetch_export": "export",
    "restore_database": "database",
    "restore_media": "media",
}
__getattr__ = late_imports(__name__, _PLACES)
