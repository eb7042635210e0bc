"""How soon the command line answers."""

from __future__ import annotations

import sys

from bench.figures import Figure, Result, Target
from bench.running import run
from bench.series import Contender, alternate
from bench.session import Session

_ROUNDS = 20


def measure(session: Session) -> Result:
    """Seconds of fresh processes, beside a Python that does nothing."""
    engine = session.offline
    contenders = (
        Contender("holdfast --help", lambda: engine.command("--help")),
        Contender("python -c pass", lambda: run([sys.executable, "-c", "pass"], engine.env)),
    )
    runs = alternate(contenders, max(session.rounds, _ROUNDS), session.watch)
    figures = tuple(
        Figure.of(contender.name, "s", [done.seconds for done in own])
        for contender, own in zip(contenders, runs, strict=True)
    )
    return Result(figures, (Target("holdfast --help", figures[0].median, 0.3, unit="s"),))
