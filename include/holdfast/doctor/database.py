"""Doctor's look at PostgreSQL: the way there, the programs, and the rights."""

from __future__ import annotations

from holdfast.environment import Environment
from holdfast.postgres.binaries import client_for
from holdfast.postgres.conninfo import Target
from holdfast.postgres.pooler import require_direct
from holdfast.postgres.session import connect
from holdfast.postgres.snapshot import preflight
from holdfast.values.check import Check, attempt


def connection(environment: Environment) -> str:
    """That the database answers, and not through a transaction pooler."""
    target = _target(environment)
    with connect(target) as session:
        version = session.info.parameter_status("server_version")
    pooling = require_direct(target)
    return f"{target.describe()} answers, PostgreSQL {version}, pooler: {pooling.value}"


def client(environment: Environment) -> str:
    """That programs at least as new as the server are there."""
    with connect(_target(environment)) as session:
        found = client_for(session.info.server_version // 10_000)
    compression = "zstd" if found.has_zstd() else "zstd outside of pg_dump"
    return f"PostgreSQL {found.version()} in {found.folder}, compression: {compression}"


def privileges(environment: Environment) -> list[Check]:
    """One failed check for everything that may not be read, or one that all may."""

    def look() -> Check | str:
        problems = preflight(_target(environment))
        if not problems:
            return "everything in the database may be read"
        if not any(problem.is_blocking for problem in problems):
            missing = ", ".join(problem.what for problem in problems)
            return Check("privileges", "warning", f"a dump will not hold {missing}", problems[0].hint)
        shown = "; ".join(problem.what for problem in problems[:10])
        more = f"; and {len(problems) - 10} more" if len(problems) > 10 else ""
        return Check("privileges", "failed", shown + more, problems[0].hint)

    return [attempt("privileges", look)]


def _target(environment: Environment) -> Target:
    return Target.from_connection(environment.database())
