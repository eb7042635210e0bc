"""Verify: reads stored artifacts back to their last byte and says whether they are what was recorded."""

from typing import TYPE_CHECKING

from holdfast.late_imports import late_imports

if TYPE_CHECKING:
    from holdfast.verify.media import check_media
    from holdfast.verify.media_report import MediaCheckReport
    from holdfast.verify.point import VerifyReport, verify
    from holdfast.verify.reading import ReadBack, read_back
    from holdfast.verify.wal import check_wal
    from holdfast.verify.wal_report import WalCheckReport, WalFault

__all__ = [
    "MediaCheckReport",
    "ReadBack",
    "VerifyReport",
    "WalCheckReport",
    "WalFault",
    "check_media",
    "check_wal",
    "read_back",
    "verify",
]

_PLACES = {
    "MediaCheckReport": "media_report",
    "ReadBack": "reading",
    "VerifyReport": "point",
    "WalCheckReport": "wal_report",
    "WalFault": "wal_report",
    "check_media": "media",
    "check_wal": "wal",
    "read_back": "reading",
    "verify": "point",
}
__getattr__ = late_imports(__name__, _PLACES)
