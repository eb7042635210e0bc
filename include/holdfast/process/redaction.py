"""Take secrets out of what a program said, before anybody keeps or shows it."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote, quote_plus

MASK = "***"


def spellings(secret: str) -> tuple[str, ...]:
    """The secret as it is and as a URL may spell it, longest first; empty for an empty secret."""
    raw = _bytes(secret)
    forms = {secret, quote(raw, safe=""), quote(raw), quote_plus(raw)}
    return tuple(sorted(forms - {""}, key=len, reverse=True))


def redact(text: str, secrets: Iterable[str]) -> str:
    """``text`` with every spelling of every secret masked.

    Longer spellings go first: a secret that contains another must not leave its rest behind.
    """
    forms = {form for secret in secrets for form in spellings(secret)}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, MASK)
    return text


def _bytes(text: str) -> bytes:
    """The bytes it stands for: what was no UTF-8 has come in as single surrogates."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
