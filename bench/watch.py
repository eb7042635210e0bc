"""Shows what is being done: a spinner with the last runs on a terminal, plain lines otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.status import Status


class Watch:
    """Tells of the work on stderr; stdout is for the tables."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._status: Status | None = None
        self._doing = ""

    @contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """Some longer work; what lies within is told below its name."""
        before, self._doing = self._doing, what
        if self._status is not None or not self._console.is_terminal:
            self._console.print(what)
            yield
        else:
            with self._console.status(what) as self._status:
                yield
            self._status = None
        self._doing = before

    def ran(self, what: str, seconds: float) -> None:
        """One run is over."""
        line = f"{self._doing}: {what} — {seconds:.2f} s"
        if self._status is not None:
            self._status.update(line)
        else:
            self._console.print(f"  {line}")

    def told(self, line: str) -> None:
        """How far it is; shown where lines can be shown over each other."""
        if self._status is not None:
            self._status.update(f"{self._doing}: {line}")
