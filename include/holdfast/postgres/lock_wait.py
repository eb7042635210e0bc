"""Give up a wait for table locks that may never end, and say what it was for.

The session that holds a snapshot holds locks on all tables and waits for the dump without PostgreSQL knowing.
A TRUNCATE or ALTER TABLE queues behind it, and whatever else of the dump asks for that table queues behind the
TRUNCATE: a circle that PostgreSQL's search for deadlocks does not see. Only a time limit ends it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg import errors

from holdfast.errors import DatabaseUnavailable
from holdfast.postgres.conninfo import Target

BEFORE_SNAPSHOT_S = 300
"""How long to wait for a migration under way before anything else is held."""

BESIDE_SNAPSHOT_S = 20
"""How long pg_dump and other sessions wait for a table that the snapshot's session holds."""

_HINT = "Run migrations outside the backup's first minute, or start the backup again."


def lock_wait_error(target: Target, said: str) -> DatabaseUnavailable:
    """The error for a wait that was given up; ``said`` is who gave up and how."""
    what = "a statement that changes tables (TRUNCATE, ALTER TABLE, DROP, …) stands between"
    return DatabaseUnavailable(f"{target.describe()}: {what}: {said}", hint=_HINT)


@contextmanager
def waiting_for_locks(target: Target) -> Iterator[None]:
    """Run statements that lock; one that met the session's ``lock_timeout`` is a DatabaseUnavailable."""
    try:
        yield
    except errors.LockNotAvailable as error:
        raise lock_wait_error(target, error.diag.message_primary or "a lock was not to be had in time") from error
