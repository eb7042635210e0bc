"""One operation at a time on a live application: a lock that its server keeps for as long as somebody holds it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from holdfast.errors import RestoreError
from holdfast.postgres.conninfo import Target
from holdfast.postgres.maintenance import maintenance_session
from holdfast.postgres.session import translated

_LOCK = """
SELECT pg_catalog.pg_try_advisory_lock(
  ('x' || pg_catalog.substr(pg_catalog.md5(%s), 1, 16))::pg_catalog.bit(64)::pg_catalog.int8)
"""


@contextmanager
def exclusive(server: Target, app: str, environment: str, *, whole: bool = False) -> Iterator[None]:
    """While the block runs, nobody else is in such a block for this environment; raises RestoreError where one is.

    ``whole``: from the first step of an operation to its last, where one process takes them all; each step that changes
    something still has a block of its own.

    ``server`` must always be the environment's live database. The lock ends with the session, however this one ends.
    """
    with maintenance_session(server, avoid=(server.database,)) as session:
        with translated(server, "taking the operation's lock"):
            name = f"holdfast {app}/{environment}{' whole' if whole else ''}"
            row = session.execute(_LOCK, (name,)).fetchone()
        if row != (True,):
            raise RestoreError(
                f"{app}/{environment}: another operation changes the live application now",
                hint="Wait until it has ended, look at what it did, and then plan again.",
            )
        yield
