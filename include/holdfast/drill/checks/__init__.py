"""What is looked at once a restore point is restored: structure, queries, codes that people hold, and media."""

from typing import TYPE_CHECKING

from holdfast.late_imports import late_imports

if TYPE_CHECKING:
    from holdfast.drill.checks.codes import check_codes
    from holdfast.drill.checks.media import media_fetcher, restore_and_check_media
    from holdfast.drill.checks.queries import check_queries
    from holdfast.drill.checks.structure import check_structure

__all__ = ["check_codes", "check_queries", "check_structure", "media_fetcher", "restore_and_check_media"]

_PLACES = {
    "check_codes": "codes",
    "check_queries": "queries",
    "check_structure": "structure",
    "media_fetcher": "media",
    "restore_and_check_media": "media",
}
__getattr__ = late_imports(__name__, _PLACES)
