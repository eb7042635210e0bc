"""Everything that the guard looks at, for each kind of store."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from holdfast.environment import Environment
from holdfast.errors import UsageError
from holdfast.guard import folder, independence, lifecycle, media_bucket, object_lock, settings, strangers
from holdfast.guard.point import Point, applied, checked
from holdfast.storage.buckets import Bucket, open_bucket
from holdfast.values.check import Check, attempt


def check_store(environment: Environment) -> list[Check]:
    """Look at the environment's store and change nothing. A check with ``is_blocking`` forbids a backup."""
    return _examined(environment, checked)


def apply_store(environment: Environment) -> list[Check]:
    """Mend what can be mended in the store, and tell how each thing is then. The media's bucket is left alone."""
    return _examined(environment, applied)


def _examined(environment: Environment, examine: Callable[[Sequence[Point]], list[Check]]) -> list[Check]:
    url = environment.policy.store.url
    media, faults = _media(environment)
    theirs = [] if media is None else media_bucket.points(media)
    if url.startswith("file://"):
        return [*examine([*folder.points(environment), *theirs]), *faults]
    if not url.startswith("s3://"):
        return [_not_looked_at(url), *examine(theirs), *faults]
    conn_id = environment.policy.store.conn_id
    bucket = open_bucket(url, None if conn_id is None else environment.connections.get(conn_id))
    apart = [
        Point("credentials", lambda: independence.credentials(bucket, media)),
        Point("place", lambda: independence.place(bucket, media)),
    ]
    reached = attempt("bucket", lambda: _reached(bucket))
    ours = _bucket_points(environment, bucket, media) if reached.verdict == "ok" else []
    return [reached, *examine([*ours, *apart, *theirs]), *faults]


def _bucket_points(environment: Environment, bucket: Bucket, media: Bucket | None) -> list[Point]:
    prefix = bucket.prefix + environment.keys.root
    lock = environment.policy.store.object_lock
    return [
        *settings.points(bucket),
        lifecycle.point(bucket, prefix, 0 if lock is None else lock.days),
        object_lock.point(bucket, lock),
        *strangers.points(bucket, prefix, is_shared=independence.is_shared(bucket, media)),
    ]


def _media(environment: Environment) -> tuple[Bucket | None, list[Check]]:
    """The media's bucket, and what is wrong with its connection; the store is looked at all the same."""
    try:
        return independence.media_bucket(environment), []
    except UsageError as error:
        return None, [Check("media", "failed", error.message, error.hint)]


def _reached(bucket: Bucket) -> str:
    bucket.ask("list_objects_v2", Prefix=bucket.prefix, MaxKeys=1)
    return f"{bucket.url} answers"


def _not_looked_at(url: str) -> Check:
    scheme = url.partition("://")[0]
    return Check(
        "store",
        "warning",
        f"the settings of {scheme}:// stores are not looked at",
        "See to versioning, retention, encryption and public access with the provider's own tools.",
    )
