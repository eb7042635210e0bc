"""Login names: which of them are one account's."""

from __future__ import annotations

import unicodedata

# Zero-width and other marks of format, and control characters.
_UNSEEN = ("Cf", "Cc")


def same_person(one: str | None, other: str | None) -> bool:
    """Whether two login names are one account's: case and surrounding blanks do not make another person."""
    return one is not None and other is not None and account(one) == account(other)


def account(login: str) -> str:
    """The form in which the names of one account are equal; what is not seen in them does not count."""
    plain = unicodedata.normalize("NFKC", login)
    return "".join(letter for letter in plain if unicodedata.category(letter) not in _UNSEEN).strip().casefold()
