"""How long work tells of itself; the CLI draws it, Airflow logs it, tests ignore it."""

from __future__ import annotations

from typing import Protocol, override


class Progress(Protocol):
    """One reporter for a whole use case; phases follow one another and never nest."""

    def begin(self, phase: str, total_bytes: int | None = None) -> None:
        """A phase starts, such as ``dump``; its total is given where it can be known."""
        ...

    def advance(self, count_bytes: int) -> None:
        """That many more bytes are done; cheap, may be called thousands of times."""
        ...

    def end(self, outcome: str = "") -> None:
        """The phase is over; ``outcome`` is one short line for people."""
        ...


class Silent(Progress):
    """A Progress that says nothing."""

    @override
    def begin(self, phase: str, total_bytes: int | None = None) -> None:
        pass

    @override
    def advance(self, count_bytes: int) -> None:
        pass

    @override
    def end(self, outcome: str = "") -> None:
        pass
