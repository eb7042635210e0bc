"""What is said of a stored document that has not the form it should have."""

from __future__ import annotations

from pydantic import ValidationError

from holdfast.errors import IntegrityError


def malformed(title: str, error: ValidationError) -> IntegrityError:
    """The error for the document of that title: its first fault, without any of its content."""
    fault = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, fault["loc"]))
    return IntegrityError(f"{title}: malformed{f' at {where}' if where else ''}: {fault['msg']}")
