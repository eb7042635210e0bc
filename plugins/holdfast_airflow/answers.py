"""What people and pipelines write into the fields of a run's form."""

from __future__ import annotations


def text_of(value: object) -> str | None:
    """The text without blanks around it; None where nothing was written, or something else than a text."""
    return value.strip() or None if isinstance(value, str) else None
