"""Login names: which of them are one account's."""

from __future__ import annotations

import unicodedata


def same_person(one: str | None, other: str | None) -> bool:
    """Whether two login names are one account's: case and surrounding blanks do not make another person."""
    return one is not None and other is not None and account(one) == account(other)


def account(login: str) -> str:
    """The form in which the names of one account are equal."""
    return unicodedata.normalize("NFKC", login).strip().casefold()
