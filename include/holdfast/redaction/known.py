"""The secrets that this process has read: whoever reads one says so here, and text on its way out lacks it."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from holdfast.redaction.secret import Secret, secrets_in


class Known:
    """Secrets by where they come from. A source that is read again replaces what it said before.

    They are kept as long as the process lives, as its connections are: an error may be told long after the
    work has ended that it came from. ``repr`` shows nothing of them.
    """

    def __init__(self) -> None:
        self._sources: dict[str, frozenset[Secret]] = {}
        self._changing = threading.Lock()
        self.secrets: tuple[Secret, ...] = ()
        """All of them, longest first: one that contains another must not leave its rest behind."""

    def learn(self, source: str, values: Iterable[str], *, names: Iterable[str] = ()) -> None:
        """Secrets of one source, such as "connection shop_db"; ``names`` stay readable though they be equal."""
        plain = tuple(names)
        found = frozenset(secret for value in values for secret in secrets_in(value, names=plain))
        if self._sources.get(source) == found:
            return
        with self._changing:
            self._sources[source] = found
            everything = frozenset().union(*self._sources.values())
            self.secrets = tuple(sorted(everything, key=len, reverse=True))

    def forget(self) -> None:
        """Know nothing any more."""
        with self._changing:
            self._sources.clear()
            self.secrets = ()

    def __repr__(self) -> str:
        return f"Known({len(self.secrets)} secrets)"


KNOWN = Known()
"""Of this process: what is printed at its exits may come from any part of it."""
