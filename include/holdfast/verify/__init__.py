"""Verify: reads stored artifacts back to their last byte and says whether they are what was recorded."""

from holdfast.verify.media import check_media
from holdfast.verify.media_report import MediaCheckReport
from holdfast.verify.point import VerifyReport, verify
from holdfast.verify.reading import ReadBack, read_back

__all__ = ["MediaCheckReport", "ReadBack", "VerifyReport", "check_media", "read_back", "verify"]
