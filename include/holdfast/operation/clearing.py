"""Removes what restores have replaced once it was kept for as long as the policy says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from holdfast.audit import Act, append
from holdfast.environment import Environment
from holdfast.errors import HoldfastError, RestoreError
from holdfast.operation.live import live_target
from holdfast.postgres.replaced import Replaced, drop_replaced, list_replaced
from holdfast.postgres.switching import exclusive
from holdfast.restore.media_place import place_fault
from holdfast.restore.media_replaced import drop_replaced_media, list_replaced_media


@dataclass(frozen=True, slots=True)
class Kept:
    """A database or media directory that was live until ``replaced_at``; ``keep_until`` is None where nobody said."""

    what: str
    name: str
    restore_point: str
    replaced_at: datetime
    keep_until: datetime | None
    size_bytes: int | None

    def as_json(self) -> dict[str, object]:
        """The facts as an object of plain values."""
        return {
            "what": self.what,
            "name": self.name,
            "restore_point": self.restore_point,
            "replaced_at": self.replaced_at.isoformat(),
            "keep_until": self.keep_until.isoformat() if self.keep_until is not None else None,
            "size_bytes": self.size_bytes,
        }


@dataclass(frozen=True, slots=True)
class Cleared:
    """What is kept still, what was removed, and what could not be, in words."""

    kept: tuple[Kept, ...]
    removed: tuple[Kept, ...]
    faults: tuple[str, ...]

    def demand_clean(self) -> None:
        """Raise RestoreError where something due could not be removed."""
        if self.faults:
            raise RestoreError("; ".join(self.faults), hint="`holdfast kept` lists what is there and until when.")

    def as_json(self) -> dict[str, object]:
        """The facts as an object of plain values."""
        return {
            "kept": [each.as_json() for each in self.kept],
            "removed": [each.as_json() for each in self.removed],
            "faults": list(self.faults),
        }


def list_kept(environment: Environment) -> tuple[Kept, ...]:
    """Everything that restores of this environment have put aside, databases first, the oldest first."""
    return (*map(_of_database, _databases(environment)), *_media(environment))


def drop_due(environment: Environment, *, now: datetime, is_dry_run: bool = False) -> Cleared:
    """Remove what was to be kept until ``now`` or before, or only say what that is; what is live is never touched.

    What cannot be removed stands in the faults. Raises what connecting to the live server raises, and RestoreError
    where an operation is at work on the live application.
    """
    removed: list[Kept] = []
    faults: list[str] = []
    if is_dry_run:
        kept = list_kept(environment)
        due = tuple(each for each in kept if each.keep_until is not None and each.keep_until <= now)
        return Cleared(tuple(each for each in kept if each not in due), due, ())
    live = live_target(environment)
    with exclusive(live, environment.app, environment.name):
        going = [each for each in _databases(environment) if each.keep_until is not None and each.keep_until <= now]
        media_there = tuple(_media(environment))
        _tell(environment, [*map(_of_database, going), *media_there], now)
        for each in going:
            try:
                drop_replaced(live, each)
            except HoldfastError as error:
                faults.append(error.message)
            else:
                removed.append(_of_database(each))
        if _has_place(environment):
            there = {each.name: each for each in media_there}
            media = drop_replaced_media(environment, now=now)
            removed += [there[each.name] for each in media.dropped if each.name in there]
            faults += media.faults
    return Cleared(list_kept(environment), tuple(removed), tuple(faults))


def _tell(environment: Environment, kept: Iterable[Kept], now: datetime) -> None:
    names = [f"{each.what} {each.name}" for each in kept if each.keep_until is not None and each.keep_until <= now]
    if names:
        append(
            environment, Act("cleared", names[0] if len(names) == 1 else f"{len(names)} replaced", {"names": [*names]})
        )


def _databases(environment: Environment) -> Iterator[Replaced]:
    live = live_target(environment)
    for each in list_replaced(live, live.database):
        if (each.app, each.environment) == (environment.app, environment.name):
            yield each


def _of_database(each: Replaced) -> Kept:
    return Kept("database", each.name, each.restore_point, each.replaced_at, each.keep_until, each.size_bytes)


def _media(environment: Environment) -> Iterator[Kept]:
    if _has_place(environment):
        for each in list_replaced_media(environment):
            yield Kept("media", each.name, each.restore_point, each.replaced_at, each.keep_until, None)


def _has_place(environment: Environment) -> bool:
    return environment.policy.media is not None and place_fault(environment) is None
