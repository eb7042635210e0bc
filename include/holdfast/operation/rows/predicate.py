"""A condition that a person wrote: one expression and nothing else, whatever it is put between."""

from __future__ import annotations

import re

from holdfast.errors import UsageError

_LONGEST = 4000
_HINT = "Write one condition on the table's own columns, such as: created_at >= '2026-01-01' AND status = 'paid'."
# Longest first. Quoted text is passed over; what could open a comment or a string of another kind is refused.
_TOKEN = re.compile(
    r"""(?P<prefixed>\b(?:[eExXbBnN]|[uU]&)['"])|(?P<quoted>'(?:[^']|'')*'|"(?:[^"]|"")*")|(?P<open>\()|(?P<close>\))"""
    r"""|(?P<refused>--|/\*|\*/|;|\$|\\|\0|'|")"""
)
_NAMES = {
    "--": "a comment", "/*": "a comment", "*/": "a comment", ";": "a semicolon", "$": "a dollar sign",
    "\\": "a backslash outside of quotes", "\0": "a zero byte", "'": "a quote that is not closed",
    '"': "a quote that is not closed",
}  # fmt: skip


def demand_one_expression(text: str) -> None:
    """Raise UsageError unless ``text`` stays within the parentheses that it is put in.

    PostgreSQL is still to say whether it is a condition at all: this looks only at quotes, parentheses, comments and
    semicolons.
    """
    if not text.strip():
        raise _refusal("is empty")
    if len(text) > _LONGEST:
        raise _refusal(f"is longer than {_LONGEST} characters")
    depth = 0
    for found in _TOKEN.finditer(text):
        if found["prefixed"]:
            raise _refusal(f"holds a string of a special kind: {found['prefixed']}…")
        if found["refused"]:
            raise _refusal(f"holds {_NAMES[found['refused']]}")
        depth += bool(found["open"]) - bool(found["close"])
        if depth < 0:
            raise _refusal("closes a parenthesis that it has not opened")
    if depth:
        raise _refusal("leaves a parenthesis open")


def _refusal(reason: str) -> UsageError:
    return UsageError(f"predicate: {reason}", hint=_HINT)
