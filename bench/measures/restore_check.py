"""A whole restore check against createdb and pg_restore from a plain local file, which start and prove nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench import check_probe
from bench.figures import Figure, Result, Target
from bench.policy import REFERENCE_LOCAL
from bench.running import Run, run
from bench.series import Contender, alternate
from bench.session import TARGET, Session
from bench.sources import REFERENCE
from bench.tools import Tools
from holdfast.postgres.conninfo import Target as Server
from holdfast.recovery import remove_recovery
from holdfast.recovery.place import Place
from holdfast.recovery.programs import ServerPrograms
from holdfast.recovery.throwaway import throwaway_cluster

_LIMIT, _READY_LIMIT_S = 1.25, 3.0
_PARTS = {
    "loading": "loading the program",
    "recovery_environment": "making and starting the server",
    "restore_database": "fetching and restoring",
    "fetch": "  fetching and decrypting",
    "pg_restore": "  pg_restore -j2",
    "check_database": "comparing and checking",
    "count": "  counting every table",
    "rest": "evidence, and removing it all",
}


def measure(session: Session) -> Result:
    """Seconds of each, in turn: ours with its server's start, its counts, its checks and its evidence."""
    file = session.place.files / "check.dump"
    session.tools.dump(REFERENCE, file, "--compress=zstd:1")
    id = session.engine.newest(REFERENCE_LOCAL)
    recovery = session.place.root / "recovery"
    recovery.mkdir(mode=0o711, exist_ok=True)
    env = {**session.engine.env, "HOLDFAST_RECOVERY": str(recovery)}
    env["PYTHONPATH"] += f":{Path(__file__).resolve().parents[2]}"
    arguments = (str(session.place.policy), REFERENCE_LOCAL, id)
    with _unlasting(session, recovery) as unlasting:
        contenders = (
            Contender("restore check", lambda: run([sys.executable, "-m", check_probe.__name__, *arguments], env)),
            _restoring("createdb, pg_restore -j2", session.tools, file),
            _restoring("the same, settings of the throwaway server", unlasting, file),
        )
        own, peer, strict = alternate(contenders, session.rounds, session.watch)
    file.unlink()
    return _result(own, peer, strict)


def _restoring(name: str, tools: Tools, file: Path) -> Contender:
    return Contender(name, lambda: tools.restore(TARGET, file), lambda: tools.drop(TARGET))


@contextmanager
def _unlasting(session: Session, recovery: Path) -> Iterator[Tools]:
    """A server that runs already, with the settings of the throwaway server: nothing of it survives a crash."""
    place = Place.of(recovery, "peer")
    place.make()
    place.open_up()
    major = int((session.cluster.data / "PG_VERSION").read_text())
    try:
        with throwaway_cluster(place, ServerPrograms(session.cluster.bin, major)) as cluster:
            yield Tools.of(cluster.bin, Server.parse(cluster.url()), session.place.files)
    finally:
        remove_recovery(recovery, place.name)


def _result(own: Sequence[Run], peer: Sequence[Run], strict: Sequence[Run]) -> Result:
    told: list[dict[str, float]] = [json.loads(done.output) for done in own]
    judged = Figure.of(
        "restore check, until the last check has passed",
        "s",
        [done.seconds - each["rest"] for done, each in zip(own, told, strict=True)],
        "process and server start included",
    )
    plain = Figure.of("createdb, pg_restore -j2", "s", [done.seconds for done in peer], "into a running server")
    fast = Figure.of("the same, settings of the throwaway server", "s", [done.seconds for done in strict])
    whole = Figure.of("restore check until it is removed again", "s", [done.seconds for done in own])
    ready = Figure.of("of the check: until the server was ready", "s", [each["ready"] for each in told])
    parts = tuple(
        Figure.of(f"of the check: {what}", "s", [each[name] for each in told]) for name, what in _PARTS.items()
    )
    return Result(
        (judged, plain, fast, whole, ready, *parts),
        (
            Target("restore check / pg_restore -j2", judged.median / plain.median, _LIMIT),
            Target("recovery server ready", ready.median, _READY_LIMIT_S, unit="s"),
        ),
        (
            f"restore check / pg_restore -j2 with the settings of the throwaway server = "
            f"{judged.median / fast.median:.3f}",
            f"until it is removed again / pg_restore -j2, whose database stays = {whole.median / plain.median:.3f}",
        ),
    )
