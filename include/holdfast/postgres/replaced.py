"""The databases that were replaced and are kept for a while: found by what is written in their comments."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from holdfast.errors import RestoreError
from holdfast.postgres.conninfo import Target
from holdfast.postgres.databases import identify_in
from holdfast.postgres.dropping import drop_database
from holdfast.postgres.maintenance import maintenance_session
from holdfast.postgres.marker import Marker
from holdfast.postgres.session import Session, translated

_COMMENTED = """
SELECT d.datname::text, d.oid::bigint,
       pg_catalog.shobj_description(d.oid, 'pg_database'),
       CASE WHEN pg_catalog.has_database_privilege(d.oid, 'CONNECT') THEN pg_catalog.pg_database_size(d.oid) END
  FROM pg_catalog.pg_database d
 WHERE pg_catalog.shobj_description(d.oid, 'pg_database') LIKE '%"holdfast"%'
 ORDER BY d.datname COLLATE "C"
"""


@dataclass(frozen=True, slots=True)
class Replaced:
    """A database that was live until ``replaced_at``; ``restore_point`` is what took its place.

    ``size_bytes`` is None where the role may not ask.
    """

    name: str
    oid: int
    size_bytes: int | None
    replaced_at: datetime
    keep_until: datetime | None
    operation: str
    restore_point: str
    app: str
    environment: str


def list_replaced(server: Target, live_name: str) -> tuple[Replaced, ...]:
    """The databases of the server that were called ``live_name``, the oldest replaced first."""
    with maintenance_session(server, avoid=(live_name,)) as session, translated(server, "listing databases"):
        return _replaced(session, live_name)


def drop_replaced(server: Target, replaced: Replaced) -> None:
    """Drop a replaced database and end whoever looks into it; one that is gone already is no error.

    Raises RestoreError where another database has that name by now, or where its comment no longer says the same.
    """
    avoid = (replaced.name, server.database)
    with maintenance_session(server, avoid=avoid) as session, translated(server, f"dropping {replaced.name}"):
        there = identify_in(session, replaced.name)
        if there is None:
            return
        found = {each.oid: each for each in _replaced(session, None)}.get(there.oid)
        if found is None or (found.oid, found.operation) != (replaced.oid, replaced.operation):
            raise RestoreError(
                f"{server.describe()}: {there} is not the database that {replaced.operation} replaced",
                hint="Nothing was dropped; list again what is kept.",
            )
        drop_database(session, server, there)


def _replaced(session: Session, live_name: str | None) -> tuple[Replaced, ...]:
    found = []
    for name, oid, comment, size in session.execute(_COMMENTED).fetchall():
        marker = Marker.read(comment)
        # The live database itself may bear a marker that somebody copied there; its name alone protects it.
        if marker is None or marker.state != "replaced" or marker.replaced_at is None or name == marker.live:
            continue
        if live_name in (None, marker.live):
            found.append(_of(marker, marker.replaced_at, name, oid, size))
    return tuple(sorted(found, key=lambda each: (each.replaced_at, each.name)))


def _of(marker: Marker, at: datetime, name: str, oid: int, size: int | None) -> Replaced:
    return Replaced(
        name=name,
        oid=oid,
        size_bytes=size,
        replaced_at=at,
        keep_until=marker.keep_until,
        operation=marker.operation,
        restore_point=marker.restore_point,
        app=marker.app,
        environment=marker.environment,
    )
