"""The point to recover to: an instant, an LSN, a named restore point, or as far as the WAL goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from holdfast.errors import UsageError
from holdfast.values.lsn import Lsn

_NAME_BYTES = 63


@dataclass(frozen=True, slots=True)
class Target:
    """Exactly the field of its kind is set; ``time`` has an offset."""

    kind: Literal["time", "lsn", "name", "latest"]
    time: datetime | None = None
    lsn: Lsn | None = None
    name: str | None = None

    def settings(self) -> Mapping[str, str]:
        """The server's settings of the target (PostgreSQL manual, "Recovery Target"): it and all up to it is kept."""
        if self.time is not None:
            # Its own form of UTC: the server reads offsets of most other zones only as it pleases.
            wanted = {"recovery_target_time": f"{self.time.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}+00"}
        elif self.lsn is not None:
            wanted = {"recovery_target_lsn": str(self.lsn)}
        elif self.name is not None:
            wanted = {"recovery_target_name": self.name}
        else:
            return {}
        return wanted | {"recovery_target_inclusive": "on"}

    def __str__(self) -> str:
        if self.time is not None:
            return self.time.isoformat()
        if self.lsn is not None:
            return f"LSN {self.lsn}"
        return f"restore point {self.name!r}" if self.name is not None else "the latest point"


def parse_target(
    to: str | None = None, to_lsn: str | None = None, to_name: str | None = None, latest: bool = False
) -> Target:
    """The one target that is given. Raises UsageError for none or several, and for a time without an offset."""
    given = [to is not None, to_lsn is not None, to_name is not None, latest]
    if sum(given) != 1:
        raise UsageError(
            "recovery target: give exactly one of --to, --to-lsn, --to-name and --latest",
            hint="`holdfast pitr window` shows from when to when can be recovered.",
        )
    if to is not None:
        return Target("time", time=_moment(to))
    if to_lsn is not None:
        return Target("lsn", lsn=Lsn.parse(to_lsn))
    if to_name is not None:
        return Target("name", name=_demand_name(to_name))
    return Target("latest")


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise UsageError(
            f"recovery target {text!r}: not a time of the form 2026-11-22T02:00:00+00:00",
            hint="Write date, time and UTC offset.",
        ) from error
    if found.tzinfo is None:
        # One hour beside is a table too many or too few: which is meant must be said.
        raise UsageError(
            f"recovery target {text!r}: it has no UTC offset, so it could be any of several instants",
            hint=f"Write {found.isoformat()}+00:00 if it is in UTC, or {found.isoformat()}+01:00 if it is an hour "
            "ahead of it.",
        )
    return found


def _demand_name(text: str) -> str:
    if not text or len(text.encode()) > _NAME_BYTES or not text.isprintable():
        raise UsageError(f"recovery target {text!r}: the name of a restore point has 1 to {_NAME_BYTES} bytes")
    return text
