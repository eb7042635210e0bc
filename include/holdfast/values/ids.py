"""Restore point ids: ``20261122T020000Z-nightly-4f9c2a``, whose text order is their time order."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from holdfast.errors import UsageError

_ID = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})([0-9]{2})Z-([a-z][a-z0-9_]{0,39})-([0-9a-f]{6})")
_TIME = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, slots=True, order=True)
class RestorePointId:
    """One restore point of an environment: when it was opened (UTC, whole seconds), its tier, a suffix.

    The suffix is derived from what started the backup, so that a task that runs again names the same
    restore point instead of making a second one.
    """

    opened_at: datetime
    tier: str
    suffix: str

    @classmethod
    def make(cls, opened_at: datetime, tier: str, origin: str) -> RestorePointId:
        """Name the restore point that ``origin`` (a DAG run, or a random token in the CLI) opens.

        ``opened_at`` must be aware. Raises UsageError for a tier that cannot stand in an id.
        """
        if opened_at.tzinfo is None:
            raise ValueError("opened_at has no UTC offset")
        suffix = hashlib.sha256(origin.encode()).hexdigest()[:6]
        moment = opened_at.astimezone(UTC).replace(microsecond=0)
        return cls.parse(f"{moment.strftime(_TIME)}-{tier}-{suffix}")

    @classmethod
    def parse(cls, text: str) -> RestorePointId:
        """Read an id as it is printed; raises UsageError otherwise."""
        found = _ID.fullmatch(text)
        if found is None:
            raise UsageError(
                f"restore point id {text!r}: not of the form 20261122T020000Z-nightly-4f9c2a",
                hint="Take an id from `holdfast list`.",
            )
        try:
            # Spelled out: strptime would take most of the time of a listing of thousands.
            year, month, day, hour, minute, second = map(int, found.groups()[:6])
            moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        except ValueError as error:
            raise UsageError(f"restore point id {text!r}: {error}") from error
        return cls(moment, found[7], found[8])

    @classmethod
    def recognised(cls, text: str) -> RestorePointId | None:
        """The id that ``text`` is, None for any other: a store may hold what nobody of ours has put there."""
        try:
            return cls.parse(text)
        except UsageError:
            return None

    def __str__(self) -> str:
        return f"{self.opened_at.strftime(_TIME)}-{self.tier}-{self.suffix}"
