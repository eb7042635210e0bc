"""The catalog: what an environment's store holds, read from the store alone."""

from holdfast.catalog.catalog import Catalog, Entry
from holdfast.catalog.exports import ExportCatalog
from holdfast.catalog.media import MediaCatalog
from holdfast.catalog.signed import read_signed, write_signed

__all__ = ["Catalog", "Entry", "ExportCatalog", "MediaCatalog", "read_signed", "write_signed"]
