"""One secret that is looked for by its value, in all of its spellings, and is shown by nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property

from holdfast.redaction.spelling import MASK, pattern_of

SHORTEST = 4
"""Anything shorter stands in every other line: it is hidden only where its place tells what it is."""

_SHORTEST_ANYWHERE = 8
# A short word or number ("refused", "5432") stands in messages, too.
_ORDINARY = re.compile(r"[A-Za-z]+|[0-9]+")
_LINE = 8
_PLAIN = re.compile(r"[0-9A-Za-z]+")
# Whoever chose one of these has no secret, and messages would lose the names they need.
_WORDS = {"postgres", "postgresql", "airflow", "holdfast", "password", "passwd", "secret", "token", "database"}
_WORDS |= {"backup", "admin", "root", "user", "localhost", "test", "demo", "true", "false", "none", "null", "require"}


class Secret:
    """A value of at least four characters.

    Below eight it counts only where no letter or digit adjoins it.
    """

    def __init__(self, value: str) -> None:
        self._value = value
        # A plain text search for its longest run of letters and digits comes before anything dearer.
        self._stem = max(_PLAIN.findall(value), key=len, default="")
        self._stem = self._stem if self._stem.isascii() else ""

    def hide(self, text: str) -> str:
        """``text`` with every spelling of it masked."""
        return self._pattern.sub(MASK, text) if self._stem in text else text

    def __len__(self) -> int:
        return len(self._value)

    def __hash__(self) -> int:
        return hash(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    __str__ = __repr__

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        written = pattern_of(self._value)
        if len(self._value) < _SHORTEST_ANYWHERE:
            # Escapes such as \n may stand before it.
            written = rf"(?:(?<![0-9A-Za-z])|(?<=\\[nrt])|(?<=%[0-9A-Fa-f]{{2}})){written}(?![0-9A-Za-z])"
        return re.compile(written)


def secrets_in(value: str, *, names: tuple[str, ...] = (), hides_words: bool = False) -> Iterator[Secret]:
    """What of a value is looked for: itself, and each long line of it. ``names`` are shown on purpose, never hidden.

    Short words and numbers count only with ``hides_words``: in a text of which it is known that it is about this value.
    """
    lines = [line.strip() for line in value.splitlines()]
    parts = {value.strip(), *(line for line in lines if len(line) >= _LINE)}
    known = {name.casefold() for name in names}
    for part in parts:
        is_ordinary = not hides_words and len(part) < _SHORTEST_ANYWHERE and _ORDINARY.fullmatch(part) is not None
        if len(part) >= SHORTEST and not is_ordinary and part.casefold() not in _WORDS.union(known):
            yield Secret(part)
