"""How things are named without a line growing beyond reading, and codes and rows without giving them away."""

from __future__ import annotations

import re
from collections.abc import Sequence

_SHOWN = 10
_SHOWN_SIGNS = 4
_QUOTED = re.compile(r'"[^"]*"')


def some(names: Sequence[str], shown: int = _SHOWN) -> str:
    """The first of them, and how many more there are."""
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more


def masked(code: str) -> str:
    """Enough of a code to find it by, never more than half: it may open what it names to anybody."""
    plain = "".join(sign if sign.isprintable() else "?" for sign in code)
    return f"{plain[: min(_SHOWN_SIGNS, len(plain) // 2)]}…"


def without_quotes(message: str) -> str:
    """PostgreSQL's message without what it quotes, which may be a row's content."""
    return _QUOTED.sub('"…"', message)
