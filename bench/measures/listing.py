"""The list of very many restore points."""

from __future__ import annotations

from bench.engine import facts
from bench.figures import Figure, Result, Target
from bench.many import ensure_many
from bench.policy import MANY
from bench.series import Contender, alternate
from bench.session import Session
from holdfast.errors import PermanentError


def measure(session: Session) -> Result:
    """Seconds of a fresh ``holdfast list --json`` process."""
    count = session.scale.restore_points
    ensure_many(session.place, count, session.watch)
    listing = Contender("holdfast list", lambda: session.offline.on("list", MANY))
    (runs,) = alternate([listing], session.rounds, session.watch)
    points = facts(runs[0])["restore_points"]
    assert isinstance(points, list)
    if len(points) != count or any(point["faults"] for point in points):
        raise PermanentError(f"list: {len(points)} restore points instead of {count} sound ones")
    seconds = Figure.of(f"holdfast list --json of {count} restore points", "s", [done.seconds for done in runs])
    cpu = Figure.of("its CPU", "s", [done.cpu_seconds for done in runs])
    return Result((seconds, cpu), (Target("list", seconds.median, 2.0, unit="s"),))
