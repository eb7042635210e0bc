"""How much stored data one core decrypts and verifies in a second."""

from __future__ import annotations

from bench.engine import facts
from bench.figures import Figure, Result, Target
from bench.policy import BLOBS_LOCAL
from bench.series import Contender, alternate
from bench.session import Session


def measure(session: Session) -> Result:
    """Stored bytes over the CPU seconds of ``holdfast verify`` and its children, process start included."""
    engine = session.engine
    id = engine.newest(BLOBS_LOCAL)
    verifying = Contender("holdfast verify", lambda: engine.on("verify", BLOBS_LOCAL, id))
    (runs,) = alternate([verifying], session.rounds, session.watch)
    mebibytes = float(str(facts(runs[0])["bytes"])) / (1 << 20)
    per_core = Figure.of("verified per core", "MiB/s", [mebibytes / done.cpu_seconds for done in runs])
    return Result(
        (
            Figure.of("holdfast verify", "s", [done.seconds for done in runs]),
            Figure.of("its CPU, children included", "s", [done.cpu_seconds for done in runs]),
            Figure.of("verified per elapsed second", "MiB/s", [mebibytes / done.seconds for done in runs]),
            per_core,
        ),
        (Target("decrypt and verify per core", per_core.median, 400, is_upper=False, unit="MiB/s"),),
        (f"stored dump of {mebibytes:.0f} MiB",),
    )
