"""Independence: whether one accident, or one stolen key, can take both the application's media and the backups."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.environment import Environment
from holdfast.storage.buckets import Bucket, open_bucket
from holdfast.storage.s3_access import S3Access
from holdfast.values.check import Check


@dataclass(frozen=True, slots=True)
class _Account:
    """Whose keys are used; ``key`` is None where AWS's SDK finds none."""

    access: S3Access
    key: str | None

    def is_same(self, other: _Account) -> bool:
        """Do the same keys open both? A key's name may stand for different secrets on different servers."""
        one, two = self.access.login, other.access.login
        if one is None and two is None and self.access.profile == other.access.profile:
            return True
        if self.key is None or self.key != other.key:
            return False
        is_same_secret = one is not None and two is not None and one.secret_key == two.secret_key
        return self.access.endpoint == other.access.endpoint or is_same_secret


def media_bucket(environment: Environment) -> Bucket | None:
    """The bucket that the application keeps its media in; None where it has none."""
    media = environment.policy.media
    if media is None or not media.source.startswith("s3://"):
        return None
    connection = None if media.conn_id is None else environment.connections.get(media.conn_id)
    return open_bucket(media.source, connection)


def credentials(store: Bucket, media: Bucket | None) -> Check | str:
    """Whether the account that stores backups is another than the application's."""
    if media is None:
        return "the application keeps no media in a bucket: there is no account to compare with"
    ours, theirs = _account(store.access), _account(media.access)
    if ours.is_same(theirs):
        return Check(
            "credentials",
            "failed",
            "store and media are opened by the same credentials: who steals them has both",
            "Give the store an account of its own, and name its connection in store.conn_id.",
            is_blocking=True,
        )
    return "the store's account is another than that of the media"


def place(store: Bucket, media: Bucket | None) -> Check | str:
    """Whether store and media lie apart."""
    if media is None or not is_shared(store, media):
        return "the store has a bucket of its own"
    for inner, outer, text in (
        (store, media, "the store lies within the application's media"),
        (media, store, "the application's media lie within the store"),
    ):
        if inner.prefix.startswith(outer.prefix):
            hint = "Name another bucket in store.url."
            return Check("place", "failed", f"{text}: {inner.url}", hint, is_blocking=True)
    hint = "A bucket of its own, in another account, also survives the loss of the application's."
    return Check("place", "warning", f"store and media share the bucket {store.name}", hint)


def is_shared(store: Bucket, media: Bucket | None) -> bool:
    """Do the media lie in the store's bucket?"""
    return media is not None and (store.name, store.access.endpoint) == (media.name, media.access.endpoint)


def _account(access: S3Access) -> _Account:
    if access.login is not None:
        return _Account(access, access.login.access_key)
    found = access.sdk_session().get_credentials()
    return _Account(access, None if found is None else found.access_key)
