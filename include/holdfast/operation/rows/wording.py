"""Words of plans, in which names and values from elsewhere can neither end their quotes nor their line."""

from __future__ import annotations

from collections.abc import Sized


def count(things: Sized) -> str:
    """``1 row``, ``2 rows``."""
    number = len(things)
    return f"{number} row" if number == 1 else f"{number} rows"


def code(text: str) -> str:
    """Text from elsewhere, which can neither end its quotes nor its line."""
    shown = visible(text)
    fence = "`" * (1 + max((len(run) for run in _runs(shown)), default=0))
    edge = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{edge}{shown}{edge}{fence}"


def visible(text: str) -> str:
    """The text on one line, without anything that is not shown."""
    return "".join(letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in text)


def _runs(text: str) -> list[str]:
    return [run for run in "".join(letter if letter == "`" else " " for letter in text).split() if run]
