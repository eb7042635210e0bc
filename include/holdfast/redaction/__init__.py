"""Takes secrets out of text before it leaves the process: those it was told of, and what looks like one."""

from __future__ import annotations

from holdfast.redaction.failures import cleansed, traceback_text
from holdfast.redaction.known import KNOWN
from holdfast.redaction.redactor import hide_known, redact
from holdfast.redaction.spelling import MASK, spellings

__all__ = ["KNOWN", "MASK", "cleansed", "hide_known", "redact", "spellings", "traceback_text"]
