"""Verify: reads stored artifacts back to their last byte and says whether they are what was recorded."""

from holdfast.verify.point import VerifyReport, verify
from holdfast.verify.reading import ReadBack, read_back

__all__ = ["ReadBack", "VerifyReport", "read_back", "verify"]
