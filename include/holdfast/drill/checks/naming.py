"""How many things are named in one line without it growing beyond reading, and codes without giving them away."""

from __future__ import annotations

from collections.abc import Sequence

_SHOWN = 10
_SHOWN_SIGNS = 4


def some(names: Sequence[str], shown: int = _SHOWN) -> str:
    """The first of them, and how many more there are."""
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more


def masked(code: str) -> str:
    """Enough of a code to find it by, never more than half: it may open what it names to anybody."""
    plain = "".join(sign if sign.isprintable() else "?" for sign in code)
    return f"{plain[: min(_SHOWN_SIGNS, len(plain) // 2)]}…"
