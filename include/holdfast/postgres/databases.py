"""Which database stands under a name, and what must be known of a live one before another takes its place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from holdfast.errors import DatabaseError, RestoreError, UsageError
from holdfast.postgres.conninfo import Target
from holdfast.postgres.disk import free_bytes
from holdfast.postgres.facts import system_identifier
from holdfast.postgres.maintenance import maintenance_session
from holdfast.postgres.session import Session, connect, translated, without_login_triggers

_IDENTITY = "SELECT oid::bigint FROM pg_catalog.pg_database WHERE datname = %s"

_DATABASE = """
SELECT d.oid::bigint, pg_catalog.pg_get_userbyid(d.datdba), d.datconnlimit, d.datallowconn, d.datistemplate,
       CASE WHEN pg_catalog.has_database_privilege(d.oid, 'CONNECT') THEN pg_catalog.pg_database_size(d.oid) END,
       t.spcname, pg_catalog.pg_has_role(d.datdba, 'USAGE'), r.rolcreatedb, r.rolsuper, r.rolname,
       pg_catalog.pg_tablespace_location(t.oid)
  FROM pg_catalog.pg_database d
  JOIN pg_catalog.pg_tablespace t ON t.oid = d.dattablespace
  JOIN pg_catalog.pg_roles r ON r.rolname = current_user
 WHERE d.datname = %s
"""
# What the server does for itself is no session of anybody's, and ends by itself.
_SESSIONS = """
SELECT pid, usename::text, application_name, backend_type FROM pg_catalog.pg_stat_activity
 WHERE datid = %s AND pid <> pg_catalog.pg_backend_pid() AND usesysid IS NOT NULL ORDER BY pid
"""
_PREPARED = "SELECT gid FROM pg_catalog.pg_prepared_xacts WHERE database = %s ORDER BY gid"
_SLOTS = """
SELECT slot_name::text, active FROM pg_catalog.pg_replication_slots
 WHERE database = %s AND slot_type = 'logical' ORDER BY 1
"""
_SUBSCRIPTIONS = "SELECT subname::text, subenabled FROM pg_catalog.pg_subscription WHERE subdbid = %s ORDER BY 1"
_PUBLICATIONS = "SELECT pubname::text FROM pg_catalog.pg_publication ORDER BY 1"
_SETTINGS = """
SELECT coalesce(r.rolname::text, ''), s.setconfig
  FROM pg_catalog.pg_db_role_setting s LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole
 WHERE s.setdatabase = %s ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class DatabaseIdentity:
    """One database of one server: its oid stays with it whatever it is called. ``name`` is what it was called."""

    system_identifier: str
    name: str
    oid: int
    server_version_num: int

    def is_same(self, other: DatabaseIdentity) -> bool:
        """Is it the same database? A server that hides its number is told by nothing else."""
        return (self.system_identifier, self.oid) == (other.system_identifier, other.oid)

    def __str__(self) -> str:
        return f"database {self.name} (oid {self.oid} of server {self.system_identifier})"


@dataclass(frozen=True, slots=True)
class OtherSession:
    """Somebody's session in a database."""

    pid: int
    user: str
    application: str
    kind: str | None

    def __str__(self) -> str:
        return f"pid {self.pid} ({self.application or 'no application name'}, role {self.user})"


@dataclass(frozen=True, slots=True)
class ReplicationSlot:
    """A logical slot: it belongs to its database for good, and so does what it has not handed over."""

    name: str
    is_active: bool


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a database pulls from elsewhere."""

    name: str
    is_enabled: bool


@dataclass(frozen=True, slots=True)
class LiveFacts:
    """The live database as it stands, and ``may_rename``: every reason why the role could not put another in its place.

    ``size_bytes`` and ``free_bytes`` (of the disk under its tablespace) are None where they cannot be told;
    ``settings`` are those of ALTER DATABASE (role '') and of ALTER ROLE IN DATABASE, as ``name=value``.
    """

    identity: DatabaseIdentity
    size_bytes: int | None
    owner: str
    sessions: tuple[OtherSession, ...]
    prepared_transactions: tuple[str, ...]
    slots: tuple[ReplicationSlot, ...]
    publications: tuple[str, ...]
    subscriptions: tuple[Subscription, ...]
    is_superuser: bool
    may_rename: tuple[str, ...]
    free_bytes: int | None
    settings: tuple[tuple[str, str], ...]
    connection_limit: int
    tablespace: str

    @property
    def hindrances(self) -> tuple[str, ...]:
        """What must be dealt with before a switch, and how, in words."""
        return tuple(hindrances(self.prepared_transactions, self.slots, self.subscriptions))


def identify(server: Target) -> DatabaseIdentity | None:
    """The database that the target names, None where the server has none; also where it lets nobody in.

    Raises what ``connect`` raises about the server.
    """
    with maintenance_session(server, avoid=(server.database,)) as session, translated(server, "identifying it"):
        return identify_in(session, server.database)


def identify_in(session: Session, name: str) -> DatabaseIdentity | None:
    """The same in a session in another database of the server."""
    row = session.execute(_IDENTITY, (name,)).fetchone()
    if row is None:
        return None
    return DatabaseIdentity(system_identifier(session), name, row[0], session.info.server_version)


def demand_identity(server: Target) -> DatabaseIdentity:
    """The database that the target names; raises RestoreError where there is none."""
    found = identify(server)
    if found is None:
        raise RestoreError(f"{server.describe()}: the server has no such database")
    return found


def look_at_live(target: Target) -> LiveFacts:
    """Everything about the live database that a plan must know. Raises RestoreError where there is none."""
    with maintenance_session(target, avoid=(target.database,)) as session, translated(target, "looking at it"):
        identity = identify_in(session, target.database)
        row = session.execute(_DATABASE, (target.database,)).fetchone()
        if identity is None or row is None:
            raise RestoreError(f"{target.describe()}: the server has no such database")
        oid, owner, limit, allows, _, size, tablespace, *_, is_superuser, _, location = row
        prepared, slots, subscriptions = standing_in(session, oid, target.database)
        return LiveFacts(
            identity=identity,
            size_bytes=size,
            owner=owner,
            sessions=sessions_in(session, oid),
            prepared_transactions=prepared,
            slots=slots,
            publications=_publications(target) if allows else (),
            subscriptions=subscriptions,
            is_superuser=is_superuser,
            may_rename=tuple(_faults(target.database, row)),
            free_bytes=free_bytes(session, identity.system_identifier, location or None),
            settings=tuple(
                (role, setting)
                for role, settings in session.execute(_SETTINGS, (oid,)).fetchall()
                for setting in settings
            ),
            connection_limit=limit,
            tablespace=tablespace,
        )


def sessions_in(session: Session, oid: int) -> tuple[OtherSession, ...]:
    """Everybody's sessions in the database but this one."""
    rows = session.execute(_SESSIONS, (oid,)).fetchall()
    return tuple(OtherSession(pid, user or "", application or "", kind) for pid, user, application, kind in rows)


def standing_in(
    session: Session, oid: int, name: str
) -> tuple[tuple[str, ...], tuple[ReplicationSlot, ...], tuple[Subscription, ...]]:
    """Prepared transactions, logical slots and subscriptions of the database: what would stay with the old one."""
    prepared = tuple(gid for (gid,) in session.execute(_PREPARED, (name,)).fetchall())
    slots = tuple(ReplicationSlot(slot, active) for slot, active in session.execute(_SLOTS, (name,)).fetchall())
    subscriptions = tuple(Subscription(sub, on) for sub, on in session.execute(_SUBSCRIPTIONS, (oid,)).fetchall())
    return prepared, slots, subscriptions


def hindrances(
    prepared: tuple[str, ...], slots: tuple[ReplicationSlot, ...], subscriptions: tuple[Subscription, ...]
) -> Iterator[str]:
    """What forbids a switch, each with what to do about it."""
    for gid in prepared:
        yield f"prepared transaction {gid!r}: run COMMIT PREPARED or ROLLBACK PREPARED"
    for slot in slots:
        if slot.is_active:
            yield (
                f"logical replication slot {slot.name} is in use: disable its subscription, for it stays with the "
                "old database; make it anew afterwards"
            )
    for subscription in subscriptions:
        if subscription.is_enabled:
            yield (
                f"subscription {subscription.name} is enabled: run ALTER SUBSCRIPTION … DISABLE, for it would go on "
                "in the old database"
            )


def _publications(target: Target) -> tuple[str, ...]:
    """Only the database itself knows."""
    try:
        with connect(target) as first:
            quiet = without_login_triggers(target, first)
        with connect(quiet) as session, translated(target, "reading publications"):
            return tuple(name for (name,) in session.execute(_PUBLICATIONS).fetchall())
    except (DatabaseError, UsageError):
        return ()


def _faults(name: str, row: tuple[Any, ...]) -> Iterator[str]:
    _, owner, _, allows, _, _, _, is_owner, creates, is_superuser, role, _ = row
    if not is_owner:
        yield f"role {role} is neither the owner of database {name} ({owner}) nor a member of that role"
    if not creates and not is_superuser:
        yield f"role {role} may not create databases, which renaming asks for: ALTER ROLE … CREATEDB"
    if not allows:
        yield f"database {name} lets nobody in (ALLOW_CONNECTIONS is off): what holds in it cannot be read"
