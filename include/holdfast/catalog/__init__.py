"""The catalog: what an environment's store holds, read from the store alone."""

from holdfast.catalog.base_backups import BaseBackupCatalog
from holdfast.catalog.catalog import Catalog, Entry
from holdfast.catalog.exports import ExportCatalog
from holdfast.catalog.media import MediaCatalog
from holdfast.catalog.signed import read_signed, write_signed
from holdfast.catalog.wal import WalCatalog, WalPiece

__all__ = [
    "BaseBackupCatalog",
    "Catalog",
    "Entry",
    "ExportCatalog",
    "MediaCatalog",
    "WalCatalog",
    "WalPiece",
    "read_signed",
    "write_signed",
]
