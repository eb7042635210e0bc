"""Restore: puts a restore point into a new or empty database and proves that it is what the manifest says."""

from holdfast.restore.database import restore_database
from holdfast.restore.fetch import fetch_artifact
from holdfast.restore.report import RestoreReport

__all__ = ["RestoreReport", "fetch_artifact", "restore_database"]
