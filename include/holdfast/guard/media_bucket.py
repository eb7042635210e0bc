"""The application's own bucket, from which media are read: looked at, never changed, for it is not ours."""

from __future__ import annotations

from holdfast.guard import lifecycle, settings, strangers
from holdfast.guard.point import Point
from holdfast.storage.buckets import Bucket
from holdfast.values.check import Check

_BY_HAND = "The bucket is the application's: let who administers it change this."


def points(bucket: Bucket) -> list[Point]:
    """Versioning, retention of noncurrent versions, and that strangers cannot list it. None of it stops a backup."""
    return [
        Point("media versioning", lambda: settings.versioning(bucket, name="media versioning", hint=_BY_HAND)),
        Point("media lifecycle", lambda: _retention(bucket)),
        Point("media anonymous listing", lambda: _listing(bucket)),
    ]


def _retention(bucket: Bucket) -> Check | str:
    found = lifecycle.Lifecycle(lifecycle.read(bucket).get("Rules", []), bucket.prefix)
    faults = [*found.harms(), *(text for text in found.missing() if "noncurrent" in text)]
    if faults:
        return Check("media lifecycle", "warning", "; ".join(faults), _BY_HAND)
    return "noncurrent versions are kept for a time"


def _listing(bucket: Bucket) -> Check | str:
    seen = strangers.listing(bucket, bucket.prefix, name="media anonymous listing", is_blocking=False)
    return seen if isinstance(seen, str) else Check(seen.name, seen.verdict, seen.text, _BY_HAND)
