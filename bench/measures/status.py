"""The watch's look at very many environments."""

from __future__ import annotations

from bench.engine import facts
from bench.figures import Figure, Result, Target
from bench.fleet import NOW, ensure_fleet
from bench.series import Contender, alternate
from bench.session import Session
from holdfast.errors import PermanentError


def measure(session: Session) -> Result:
    """Seconds of a fresh ``holdfast status --json`` process that knows nothing from before."""
    environments, points = session.scale.fleet
    policies = [str(path) for path in ensure_fleet(session.place, environments, points, session.watch)]
    command = ("status", *policies, "--now", NOW.isoformat(), "--json")
    (runs,) = alternate(
        [Contender("holdfast status", lambda: session.offline.command(*command))], session.rounds, session.watch
    )
    found = facts(runs[0])
    if found["findings"] or len(found["environments"]) != environments:  # type: ignore[arg-type]
        raise PermanentError(f"status: {found}")
    what = f"holdfast status --json of {environments} environments with {points} restore points each"
    seconds = Figure.of(what, "s", [done.seconds for done in runs])
    cpu = Figure.of("its CPU", "s", [done.cpu_seconds for done in runs])
    return Result((seconds, cpu), (Target("status", seconds.median, 5.0, unit="s"),))
