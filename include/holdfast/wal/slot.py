"""The holding slot: a physical replication slot that keeps WAL on the source until it is in the store."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.errors import PermanentError
from holdfast.policy.wal import Wal
from holdfast.postgres.session import Session, translated
from holdfast.values.lsn import Lsn
from holdfast.wal.server import place_of

_FIND = """
SELECT slot_type, restart_lsn::text, wal_status, safe_wal_size,
       CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_wal_lsn_diff(
           COALESCE(pg_catalog.pg_last_wal_receive_lsn(), pg_catalog.pg_last_wal_replay_lsn()), restart_lsn)
       ELSE pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), restart_lsn) END::bigint
FROM pg_catalog.pg_replication_slots WHERE slot_name = %s
"""


@dataclass(frozen=True, slots=True)
class HoldingSlot:
    """A slot as it stands. Sizes in bytes: WAL that it holds back, WAL until the server gives it up (None: never).

    ``is_lost``: the server has given it up, and what it held may be gone.
    """

    name: str
    restart_lsn: Lsn | None
    wal_status: str | None
    retained_bytes: int | None
    safe_wal_bytes: int | None

    @property
    def is_lost(self) -> bool:
        """Has the server given it up?"""
        return self.wal_status == "lost"


def slot_name(policy: Wal, app: str, environment: str) -> str:
    """The policy's name for it, or one made of app and environment."""
    return policy.slot_of(app, environment)


def find_slot(session: Session, name: str) -> HoldingSlot | None:
    """The slot of that name; None where there is none. Raises PermanentError for a logical one, DatabaseError."""
    with translated(place_of(session), f"looking for the replication slot {name}"):
        row = session.execute(_FIND, [name]).fetchone()
    if row is None:
        return None
    kind, restart, status, safe, retained = row
    if kind != "physical":
        raise PermanentError(
            f"replication slot {name}: it is a {kind} slot, which somebody else uses",
            hint="Name another slot in the policy's wal.slot.",
        )
    return HoldingSlot(
        name,
        None if restart is None else Lsn.parse(restart),
        status,
        None if retained is None else max(0, int(retained)),
        None if safe is None else int(safe),
    )


def create_slot(session: Session, name: str) -> HoldingSlot:
    """Make the slot; from now on the server keeps its WAL, beginning with its last checkpoint. Raises DatabaseError."""
    with translated(place_of(session), f"making the replication slot {name}"):
        session.execute("SELECT pg_catalog.pg_create_physical_replication_slot(%s, true)", [name])
    made = find_slot(session, name)
    assert made is not None
    return made


def advance_slot(session: Session, name: str, lsn: Lsn) -> None:
    """Let the server remove WAL before ``lsn``; going back is not possible and no error. Raises DatabaseError."""
    with translated(place_of(session), f"advancing the replication slot {name}"):
        session.execute(
            "SELECT pg_catalog.pg_replication_slot_advance(slot_name, %(lsn)s::pg_lsn)"
            " FROM pg_catalog.pg_replication_slots WHERE slot_name = %(name)s AND restart_lsn < %(lsn)s::pg_lsn",
            {"name": name, "lsn": str(lsn)},
        )


def drop_slot(session: Session, name: str) -> None:
    """Give up the slot and the WAL that it holds; one that is gone already is no error. Raises DatabaseError."""
    with translated(place_of(session), f"dropping the replication slot {name}"):
        session.execute(
            "SELECT pg_catalog.pg_drop_replication_slot(slot_name) FROM pg_catalog.pg_replication_slots"
            " WHERE slot_name = %s",
            [name],
        )
