"""What must be known of a server whose WAL is taken: which cluster it is, where its WAL stands, how it is cut."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

from holdfast.errors import PermanentError
from holdfast.postgres.conninfo import Target
from holdfast.postgres.session import Session, translated
from holdfast.values.lsn import Lsn

# The control file's timeline is that of the last checkpoint, which a promotion does not wait for.
_SOURCE = """
SELECT (SELECT system_identifier FROM pg_catalog.pg_control_system())::text,
       CASE WHEN pg_catalog.pg_is_in_recovery() THEN
           GREATEST((SELECT timeline_id FROM pg_catalog.pg_control_checkpoint()),
                    (SELECT received_tli FROM pg_catalog.pg_stat_wal_receiver))
       ELSE ('x' || substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 1, 8))::bit(32)::int END,
       (SELECT setting::bigint FROM pg_catalog.pg_settings WHERE name = 'wal_segment_size'),
       pg_catalog.pg_is_in_recovery(),
       (CASE WHEN pg_catalog.pg_is_in_recovery()
             THEN COALESCE(GREATEST(pg_catalog.pg_last_wal_receive_lsn(), pg_catalog.pg_last_wal_replay_lsn()), '0/0')
             ELSE pg_catalog.pg_current_wal_flush_lsn() END)::text
"""


@dataclass(frozen=True, slots=True)
class WalSource:
    """A server as it was a moment ago. ``flush_lsn``: up to where its WAL is on its disk, on ``timeline``."""

    system_identifier: str
    timeline: int
    segment_bytes: int
    server_version_num: int
    in_recovery: bool
    flush_lsn: Lsn


def place_of(session: Session) -> Target:
    """Where a session leads, for messages; without password."""
    info = session.info
    return Target({"host": info.host, "port": str(info.port), "user": info.user, "dbname": info.dbname})


def read_source(session: Session) -> WalSource:
    """Ask the server; raises DatabaseUnavailable or DatabaseError."""
    with translated(place_of(session), "asking where the server's WAL stands"):
        row = session.execute(_SOURCE).fetchone()
    assert row is not None
    system, timeline, segment_bytes, in_recovery, flush = row
    return WalSource(
        str(system), int(timeline), int(segment_bytes), session.info.server_version, bool(in_recovery), Lsn.parse(flush)
    )


def demand_identity(source: WalSource, known: Set[str], wished: str | None, title: str) -> None:
    """Make sure that it is the cluster whose WAL belongs here.

    ``known`` are the system identifiers of what the store holds of the environment ``title``, ``wished`` what the
    policy says. Raises PermanentError for another cluster.
    """
    found = source.system_identifier
    if wished is not None and found != wished:
        raise PermanentError(
            f"{title}: the server has the system identifier {found}, the policy wants {wished}",
            hint="Correct the connection, or database.system_identifier where the server was replaced on purpose.",
        )
    if wished is None and known and found not in known:
        raise PermanentError(
            f"{title}: the server has the system identifier {found}, the store holds {', '.join(sorted(known))}: "
            f"was the server replaced?",
            hint=f'If so, set database.system_identifier: "{found}" in the policy and take a base backup; '
            "if not, correct the connection.",
        )
