"""Contenders run in turn, so that whatever else the machine does falls on all of them alike."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.running import Run
from bench.watch import Watch


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to do the job. ``clear`` runs before each run and is not timed; ``rounds`` caps slow ones."""

    name: str
    run: Callable[[], Run]
    clear: Callable[[], None] = _nothing
    rounds: int | None = None


def alternate(
    contenders: Sequence[Contender], rounds: int, watch: Watch, *, warms_up: bool = True, clears_after: bool = True
) -> list[list[Run]]:
    """The runs of each contender. The order turns by one place a round: nobody always follows the same one.

    A first round, of those that are not capped, warms the caches and does not count.
    """
    runs: list[list[Run]] = [[] for _ in contenders]
    if warms_up:
        for contender in contenders:
            if contender.rounds is None:
                watch.ran(f"{contender.name} (warming up)", _once(contender).seconds)
    for number in range(rounds):
        for place in range(len(contenders)):
            index = (place + number) % len(contenders)
            contender = contenders[index]
            if contender.rounds is None or number < contender.rounds:
                runs[index].append(_once(contender))
                watch.ran(f"{contender.name} {number + 1}/{rounds}", runs[index][-1].seconds)
    if clears_after:
        for contender in contenders:
            contender.clear()
    return runs


def _once(contender: Contender) -> Run:
    contender.clear()
    os.sync()  # what the one before left unwritten must not slow this one's fsync
    return contender.run()
