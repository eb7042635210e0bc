"""A production restore with its switch, and ten rows out of a restore point, against a plain restore of all of it."""

from __future__ import annotations

from bench.engine import Engine, facts
from bench.figures import Figure, Result, Target
from bench.policy import SWITCHED
from bench.running import Run
from bench.series import Contender, alternate
from bench.session import TARGET, Session
from bench.sources import REFERENCE

_PEOPLE = ("--i-am", "bench", "--approved-by", "nobody else")
_KEYS = tuple(f"--key=id={number}" for number in range(1_000, 11_000, 1_000))


def measure_switch(session: Session) -> Result:
    """Seconds of plan and switch, in turn with a backup and a restore of the same database, each on its own."""
    engine, tools = session.engine.knowing(SWITCHED, session.cluster.url(SWITCHED)), session.tools
    _copy(session)
    id = engine.newest(SWITCHED)

    def apply() -> Run:
        plan = str(facts(engine.on("switch", SWITCHED, id))["plan"])
        return engine.on("switch", SWITCHED, id, "--apply", plan, *_PEOPLE)

    contenders = (
        Contender("holdfast switch --apply", apply, lambda: _copy(session)),
        Contender("holdfast backup", lambda: engine.backup(SWITCHED)),
        Contender(
            "holdfast restore --jobs 2",
            lambda: engine.on("restore", SWITCHED, id, "--to", TARGET, "--jobs", "2"),
            lambda: tools.drop(TARGET),
        ),
    )
    switch, backup, restore = alternate(contenders, session.rounds, session.watch, clears_after=False)
    _forget(session)
    gone = [float(str(_fact(done, "unavailable_seconds"))) for done in switch]
    figures = (
        Figure.of("holdfast switch --apply", "s", [done.seconds for done in switch], "with its fresh snapshot"),
        Figure.of("holdfast backup", "s", [done.seconds for done in backup]),
        Figure.of("holdfast restore --jobs 2", "s", [done.seconds for done in restore], "with its counting"),
        Figure.of("of the switch: live unavailable at most", "s", gone),
    )
    whole, snapshot, plain, unavailable = (figure.median for figure in figures)
    return Result(
        figures,
        (
            Target("switch / (1.3 x restore + snapshot)", whole / (1.3 * plain + snapshot), 1.0),
            Target("live unavailable", unavailable, 5.0, unit="s"),
        ),
    )


def measure_rows(session: Session) -> Result:
    """Seconds of planning and of applying ten rows that live lacks, in turn with a full restore."""
    engine, tools = session.engine.knowing(SWITCHED, session.cluster.url(SWITCHED)), session.tools
    _copy(session)
    id = engine.newest(SWITCHED)

    def lose() -> None:
        tools.postgres("psql", "-qXd", SWITCHED, "-c", "DELETE FROM events WHERE id % 1000 = 0 AND id <= 10000")

    def apply() -> Run:
        return _rows(engine, id, "--apply", str(facts(_rows(engine, id))["plan"]), *_PEOPLE)

    contenders = (
        Contender("holdfast rows (plan)", lambda: _rows(engine, id), lose),
        Contender("holdfast rows --apply", apply, lose),
        Contender(
            "holdfast restore --jobs 2",
            lambda: engine.on("restore", SWITCHED, id, "--to", TARGET, "--jobs", "2"),
            lambda: tools.drop(TARGET),
        ),
    )
    plan, applied, restore = alternate(contenders, session.rounds, session.watch, clears_after=False)
    _forget(session)
    figures = (
        Figure.of("holdfast rows, plan of ten rows", "s", [done.seconds for done in plan]),
        Figure.of("holdfast rows --apply", "s", [done.seconds for done in applied], "plans once more"),
        Figure.of("holdfast restore --jobs 2", "s", [done.seconds for done in restore], "with its counting"),
    )
    planning, applying, plain = (figure.median for figure in figures)
    return Result(
        figures,
        (
            Target("plan of ten rows / restore", planning / plain, 0.5),
            Target("ten rows applied / restore", applying / plain, 0.5),
        ),
    )


def _rows(engine: Engine, id: str, *more: str) -> Run:
    return engine.on("rows", SWITCHED, id, "--table", "events", *_KEYS, *more)


def _fact(done: Run, name: str) -> object:
    found = facts(done)["facts"]
    return found[name] if isinstance(found, dict) else None


def _copy(session: Session) -> None:
    """The reference once more, as the live database of its own environment, with nothing kept beside it."""
    _forget(session)
    session.tools.postgres("createdb", f"--template={REFERENCE}", SWITCHED)
    session.tools.postgres("psql", "-qXd", "postgres", "-c", "CHECKPOINT")


def _forget(session: Session) -> None:
    listed = session.tools.postgres(
        "psql", "-qXAtd", "postgres", "-c", f"SELECT datname FROM pg_database WHERE datname LIKE '{SWITCHED}%'"
    )
    for name in listed.output.decode().splitlines():
        session.tools.postgres("dropdb", "--if-exists", "--force", name)
