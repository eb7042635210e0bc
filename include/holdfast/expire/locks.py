"""Object locks: until when the store itself refuses to delete an object, by the store's own clock.

In a versioned bucket a deletion of a locked object seems to succeed: it only hides the object behind a delete
marker. So the store is asked before anything is called deleted.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any

from holdfast.environment import Environment
from holdfast.errors import PermanentError
from holdfast.storage.buckets import Bucket, answer_of, open_bucket

FOREVER = datetime.max.replace(tzinfo=UTC)
_AT_ONCE = 8
# What servers answer where an object, or its bucket, knows no lock: AWS with 400 for a bucket without.
_UNLOCKED = ("InvalidRequest", "NotImplemented", "MethodNotAllowed")


class Locks:
    """Asks an environment's store. Nothing is asked of stores that lock nothing, nor before the first question."""

    def __init__(self, environment: Environment) -> None:
        self._place = environment.policy.store
        self._connections = environment.connections

    def until(self, key: str) -> datetime | None:
        """Until when the newest version under ``key`` is locked; None where it is not; FOREVER under legal hold.

        Raises StoreRefused or StoreError where the store does not say: then it must be taken for locked.
        """
        return self._asked(key) if self._is_locking else None

    def reason(self, keys: Iterable[str]) -> str | None:
        """Why the objects under ``keys`` cannot all be deleted; None where they can."""
        if not self._is_locking:
            return None
        assert self._bucket.client  # made here once, before threads ask for it
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            found = [until for until in threads.map(self._asked, keys) if until is not None]
        if not found:
            return None
        last = max(found)
        return "under legal hold in the store" if last == FOREVER else f"locked until {last:%Y-%m-%dT%H:%M:%SZ}"

    @cached_property
    def _bucket(self) -> Bucket:
        conn_id = self._place.conn_id
        return open_bucket(self._place.url, None if conn_id is None else self._connections.get(conn_id))

    @cached_property
    def _is_locking(self) -> bool:
        """Can objects be locked there? A policy that says so is believed; else the bucket is asked, once."""
        if not self._place.url.startswith("s3://"):
            return False
        if self._place.object_lock is not None:
            return True
        try:
            answer = self._bucket.ask("get_object_lock_configuration", absent=("ObjectLockConfigurationNotFoundError",))
        except PermanentError:
            return False  # no such function, or no right to ask: then the policy has the word
        return answer is not None and answer.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled") == "Enabled"

    def _asked(self, key: str) -> datetime | None:
        retention = self._facts("get_object_retention", key)
        until = retention.get("Retention", {}).get("RetainUntilDate")
        hold = self._facts("get_object_legal_hold", key)
        if hold.get("LegalHold", {}).get("Status") == "ON":
            return FOREVER
        if until is None or until <= _said_at(retention):
            return None
        found: datetime = until.astimezone(UTC)
        return found

    def _facts(self, operation: str, key: str) -> dict[str, Any]:
        """The answer, empty but for its headers where the object bears nothing of the kind."""
        from botocore.exceptions import ClientError  # type: ignore[import-untyped]

        bucket = self._bucket
        with bucket.explained(f"{operation.replace('_', ' ')} of {key}"):
            try:
                found: dict[str, Any] = getattr(bucket.client, operation)(Bucket=bucket.name, Key=bucket.prefix + key)
            except ClientError as error:
                answer = answer_of(error)
                is_absent = answer.status == 404 and not answer.is_about_bucket
                if not (is_absent or answer.code in _UNLOCKED):
                    raise
                found = {"ResponseMetadata": error.response["ResponseMetadata"]}
        return found


def _said_at(answer: dict[str, Any]) -> datetime:
    """The store's time when it answered; ours where it does not say."""
    text = answer["ResponseMetadata"].get("HTTPHeaders", {}).get("date")
    try:
        return parsedate_to_datetime(text).astimezone(UTC) if text else datetime.now(UTC)
    except ValueError:
        return datetime.now(UTC)
