"""Object lock: whether the bucket refuses deletion for as long as the policy says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from holdfast.errors import PermanentError, StoreError
from holdfast.guard.point import Point
from holdfast.policy.model import ObjectLock
from holdfast.storage.buckets import Bucket
from holdfast.values.check import Check

_MODES = ("governance", "compliance")  # the weaker first
_NEW_BUCKET = (
    "make a new bucket with object lock enabled and name it in store.url: what lies in the old one stays readable "
    "through a policy that names that."
)
_TRY = f"`holdfast store apply POLICY ENV` asks the server to turn it on, for good. If that is refused, {_NEW_BUCKET}"
_REFUSED = f"This server cannot turn it on in a bucket that exists: {_NEW_BUCKET}"


@dataclass(frozen=True, slots=True)
class Retention:
    """A bucket's default: how long each new object is locked."""

    mode: str
    days: int

    def __str__(self) -> str:
        return f"{self.mode}, {self.days} days"

    def holds(self, wanted: ObjectLock) -> bool:
        """Is it at least as strong?"""
        return self.days >= wanted.days and _MODES.index(self.mode) >= _MODES.index(wanted.mode)

    def raised_to(self, wanted: ObjectLock) -> Retention:
        """The stronger of both in either respect: what is locked longer today is not shortened."""
        mode = max(self.mode, wanted.mode, key=_MODES.index)
        return Retention(mode, max(self.days, wanted.days))


def point(bucket: Bucket, wanted: ObjectLock | None) -> Point:
    """Against the policy's ``store.object_lock``."""
    if wanted is None:
        return Point("object lock", lambda: _unasked(bucket))
    return Point("object lock", lambda: _look(bucket, wanted), lambda: _mend(bucket, wanted), is_optional=False)


def _look(bucket: Bucket, wanted: ObjectLock) -> Check | str:
    found = _configuration(bucket)
    asked = f"the policy asks for {wanted.mode}, {wanted.days} days"
    if found is None:
        return Check("object lock", "failed", f"the bucket has no object lock; {asked}", _TRY)
    retention = _retention(found)
    if retention is None or not retention.holds(wanted):
        text = f"new objects are {'not locked' if retention is None else f'locked: {retention}'}; {asked}"
        return Check("object lock", "failed", text, "`holdfast store apply POLICY ENV` mends it for new objects.")
    return f"new objects are locked: {retention}"


def _unasked(bucket: Bucket) -> str:
    retention = _retention(_configuration(bucket) or {})
    return "not asked for by the policy" + (f"; new objects are locked: {retention}" if retention else "")


def _mend(bucket: Bucket, wanted: ObjectLock) -> None:
    found = _configuration(bucket)
    retention = _retention(found or {}) or Retention(wanted.mode, wanted.days)
    raised = retention.raised_to(wanted)
    rule = {"DefaultRetention": {"Mode": raised.mode.upper(), "Days": raised.days}}
    try:
        bucket.ask(
            "put_object_lock_configuration", ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
        )
    except StoreError as error:
        if found is not None:
            raise
        raise PermanentError(error.message, hint=_REFUSED) from error


def _configuration(bucket: Bucket) -> dict[str, Any] | None:
    answer = bucket.ask("get_object_lock_configuration", absent=("ObjectLockConfigurationNotFoundError",))
    found: dict[str, Any] = {} if answer is None else answer.get("ObjectLockConfiguration", {})
    return found if found.get("ObjectLockEnabled") == "Enabled" else None


def _retention(configuration: dict[str, Any]) -> Retention | None:
    found = configuration.get("Rule", {}).get("DefaultRetention", {})
    days = found.get("Days") or 365 * (found.get("Years") or 0)
    mode = str(found.get("Mode", "")).lower()
    return Retention(mode, days) if days and mode in _MODES else None
