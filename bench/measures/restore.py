"""A restore with two jobs against createdb and pg_restore from a plain local file."""

from __future__ import annotations

from bench.engine import seconds_of
from bench.figures import Figure, Result, Target
from bench.policy import REFERENCE_LOCAL
from bench.running import Run
from bench.series import Contender, alternate
from bench.session import TARGET, Session
from bench.sources import REFERENCE


def measure(session: Session) -> Result:
    """Seconds of each, in turn; the comparison of the counts, which pg_restore does not do, apart."""
    engine, tools = session.engine, session.tools
    file = session.place.files / "restore.dump"
    tools.dump(REFERENCE, file, "--compress=zstd:1")
    id = engine.newest(REFERENCE_LOCAL)

    def clear() -> None:
        tools.drop(TARGET)

    def ours() -> Run:
        return engine.on("restore", REFERENCE_LOCAL, id, "--to", TARGET, "--jobs", "2")

    contenders = (
        Contender("holdfast restore --jobs 2", ours, clear),
        Contender("createdb, pg_restore -j2", lambda: tools.restore(TARGET, file), clear),
    )
    own, peer = alternate(contenders, session.rounds, session.watch)
    file.unlink()
    counting = seconds_of(own, "count_seconds")
    restoring = [done.seconds - seconds for done, seconds in zip(own, counting, strict=True)]
    figures = (
        Figure.of("holdfast restore --jobs 2", "s", restoring, "counting taken off"),
        Figure.of("createdb, pg_restore -j2", "s", [done.seconds for done in peer], "from a plain file"),
        Figure.of("of the restore: fetching and decrypting", "s", seconds_of(own, "fetch_seconds")),
        Figure.of("of the restore: pg_restore", "s", seconds_of(own, "restore_seconds")),
        Figure.of("apart: counting every table", "s", counting),
        Figure.of("the restore with its counting", "s", [done.seconds for done in own]),
    )
    return Result(figures, (Target("restore / pg_restore -j2", figures[0].median / figures[1].median, 1.10),))
