"""Gives up the holding slot: the source may remove its WAL then, at the price of a gap."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from holdfast.audit import Act, append
from holdfast.environment import Environment
from holdfast.errors import PermanentError
from holdfast.postgres.conninfo import Target
from holdfast.postgres.session import connect
from holdfast.streaming.control import take_lock
from holdfast.values import figures
from holdfast.wal.slot import drop_slot, find_slot, slot_name


@dataclass(frozen=True, slots=True)
class GivenUp:
    """What the slot held; ``existed`` is False where there was none."""

    slot: str
    existed: bool
    restart_lsn: str | None
    retained_bytes: int | None

    def as_json(self) -> dict[str, object]:
        """The facts as an object of plain values."""
        return asdict(self)


def give_up_slot(environment: Environment, *, accepts_gap: bool, force: bool = False) -> GivenUp:
    """Drop the environment's holding slot.

    Raises PermanentError, with what it would cost, unless the caller ``accepts_gap``; UsageError while a streamer works
    with it, unless ``force``: that one makes it anew. Raises DatabaseError where the role may not.
    """
    name = slot_name(environment.policy.wal, environment.app, environment.name)
    target = Target.from_connection(environment.database())
    with connect(target) as session:
        found = find_slot(session, name)
        if found is None:
            return GivenUp(name, False, None, None)
        held = f"{figures.size(found.retained_bytes or 0)} of WAL from {found.restart_lsn or 'an unknown position'} on"
        if not accepts_gap:
            raise PermanentError(
                f"replication slot {name}: holds back {held}; without it the server removes what is not stored yet",
                hint="No instant from the last stored WAL to the next base backup could be recovered. If a gap is "
                "better than what the slot costs, repeat with --i-understand-a-gap.",
            )
        if not force:
            take_lock(session, target, name)
        append(environment, Act("slot_dropped", name, {"retained_bytes": found.retained_bytes, "force": force}))
        drop_slot(session, name)
    return GivenUp(name, True, None if found.restart_lsn is None else str(found.restart_lsn), found.retained_bytes)
