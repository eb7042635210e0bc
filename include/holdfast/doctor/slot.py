"""Doctor's look at the holding slot: what it costs the source's disk, and how to be rid of it in need."""

from __future__ import annotations

from holdfast.environment import Environment
from holdfast.postgres.session import Session, translated
from holdfast.values import figures
from holdfast.values.check import Check
from holdfast.wal.server import place_of
from holdfast.wal.slot import find_slot, slot_name

_NAME = "holding slot"
_LIMIT = "SELECT setting::bigint FROM pg_catalog.pg_settings WHERE name = 'max_slot_wal_keep_size'"
_GAP = "Then a gap begins: no instant from the last stored WAL to the next base backup can be recovered."
_FREE = """
SELECT current_setting('max_replication_slots')::int - (SELECT count(*)::int FROM pg_catalog.pg_replication_slots)
"""


def look(environment: Environment, session: Session) -> Check | str:
    """How the slot stands against the policy's thresholds."""
    name = slot_name(environment.policy.wal, environment.app, environment.name)
    found = find_slot(session, name)
    if found is None:
        return _missing(environment, session, name)
    if found.is_lost or found.restart_lsn is None:
        hint = "The next run of `wal` makes it anew; then take a base backup with `holdfast base-backup POLICY ENV`."
        text = f"{name}: the server has given it up (wal_status {found.wal_status}): there is a gap in the WAL"
        return Check(_NAME, "failed", text, hint)
    retained, limit = found.retained_bytes or 0, _limit_mib(session)
    text = f"{name} holds back {figures.size(retained)} on the server from {found.restart_lsn} on, {_told(limit)}"
    if found.wal_status == "unreserved":
        hint = f"Stream at once, or raise max_slot_wal_keep_size: the server is about to remove that WAL. {_GAP}"
        return Check(_NAME, "failed", f"{text}; wal_status unreserved", hint)
    rules = environment.policy.wal
    if retained >= rules.retained_page:
        return Check(_NAME, "failed", f"{text}: more than wal.retained_page", drop_hint(environment, name))
    if retained >= rules.retained_warning:
        return Check(_NAME, "warning", f"{text}: more than wal.retained_warning", drop_hint(environment, name))
    return text if found.wal_status != "extended" else f"{text}; wal_status extended: more than max_wal_size"


def drop_hint(environment: Environment, name: str) -> str:
    """How to give the slot up, and what that costs."""
    return (
        "Does `wal` run, and does the store take what it sends? Where a gap is better than a full disk: "
        f"`holdfast wal drop-slot {environment.policy_file} {environment.name} --i-understand-a-gap`, or in SQL: "
        f"SELECT pg_drop_replication_slot('{name}'); {_GAP}"
    )


def _missing(environment: Environment, session: Session, name: str) -> Check | str:
    with translated(place_of(session), "counting replication slots"):
        row = session.execute(_FREE).fetchone()
    if row is not None and row[0] <= 0:
        hint = "Raise max_replication_slots and restart the server, or drop a slot that nobody uses."
        return Check(_NAME, "failed", f"{name}: there is none, and all of max_replication_slots are in use", hint)
    if any(piece.is_stored for piece in environment.wal_catalog.pieces()):
        hint = "The next run of `wal` makes it; if the server removes WAL before that, a new base backup is needed."
        return Check(_NAME, "warning", f"{name}: there is none, so the server may remove WAL that is not stored", hint)
    return f"{name}: none yet, the first run of `wal` makes it"


def _limit_mib(session: Session) -> int:
    with translated(place_of(session), "asking for max_slot_wal_keep_size"):
        row = session.execute(_LIMIT).fetchone()
    return -1 if row is None else int(row[0])


def _told(limit_mib: int) -> str:
    if limit_mib < 0:
        return "without a limit (max_slot_wal_keep_size)"
    return f"at most {figures.size(limit_mib << 20)} (max_slot_wal_keep_size)"
