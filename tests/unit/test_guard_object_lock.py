"""Object lock in a bucket where it cannot be turned on any more: on an endpoint that answers like AWS."""

from __future__ import annotations

import pytest

from fake_s3 import Answer, Asked, FakeS3, refusal
from holdfast.guard import object_lock
from holdfast.guard.point import applied, checked
from holdfast.policy.model import ObjectLock
from holdfast.storage.buckets import open_bucket
from holdfast.values.check import Check

WANTED = ObjectLock(mode="compliance", days=30)
YEAR = b"""<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled><Rule><DefaultRetention>
<Mode>COMPLIANCE</Mode><Years>1</Years></DefaultRetention></Rule></ObjectLockConfiguration>"""


def _look(found: Answer, put: Answer = (200, b""), *, apply: bool = False, wanted: ObjectLock | None = WANTED) -> Check:
    def answers(asked: Asked) -> Answer:
        return put if asked.method == "PUT" else found

    with FakeS3(answers) as fake:
        point = object_lock.point(open_bucket("s3://backups/holdfast", fake.connection("store")), wanted)
        return (applied if apply else checked)([point])[0]


def test_a_server_that_refuses_to_turn_it_on() -> None:
    """What to do is said: another bucket, and how the old one stays readable."""
    absent = refusal(404, "ObjectLockConfigurationNotFoundError")
    found = _look(absent, refusal(409, "InvalidBucketState"), apply=True)
    assert (found.verdict, found.is_blocking) == ("failed", False)
    assert "could not be mended" in found.text
    assert "make a new bucket with object lock enabled" in str(found.hint)


def test_a_server_without_locks_is_a_failure_where_the_policy_asks_for_one() -> None:
    """Elsewhere it is but a warning."""
    missing = refusal(501, "NotImplemented")
    assert _look(missing).verdict == "failed"
    assert _look(missing, apply=True).verdict == "failed"
    assert _look(missing, wanted=None).verdict == "warning"


def test_a_default_in_years_is_counted_in_days() -> None:
    """A year is 365 days."""
    assert _look((200, YEAR)).text == "new objects are locked: compliance, 365 days"


@pytest.mark.parametrize("days", [366, 3650])
def test_a_default_that_is_too_short_is_named(days: int) -> None:
    """With what there is, and what the policy asks for."""
    found = _look((200, YEAR), wanted=ObjectLock(mode="governance", days=days))
    assert found.verdict == "failed"
    assert "compliance, 365 days" in found.text
    assert f"governance, {days} days" in found.text
