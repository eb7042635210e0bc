"""Buckets that many environments share: where one does not answer, it is asked once, not once for each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from holdfast.environment import Environment
from holdfast.errors import StoreError, StoreRefused
from holdfast.values.connection import Connections
from holdfast.watch.fleet import Place, each


def silenced(places: Sequence[Place], connections: Connections) -> Mapping[str, str]:
    """Why not to look at environments whose bucket does not answer, by title: all of it but the first, which tells.

    A bucket that is down takes a minute for each environment; of hundreds, none would be told of in time.
    """
    by_bucket: dict[tuple[str, str, str | None], list[Place]] = {}
    for place in places:
        url = urlsplit(place.policy.store.url)
        if url.scheme != "file":
            by_bucket.setdefault((url.scheme, url.netloc, place.policy.store.conn_id), []).append(place)
    # Whoever can tell comes first.
    shared = [
        sorted(group, key=lambda place: place.policy.alerts is None) for group in by_bucket.values() if len(group) > 1
    ]
    asked = each([group[0] for group in shared], connections, _asked)
    return {
        place.title: f"its bucket does not answer, as that of {first.title}: {fault}"
        for group, (first, fault, _) in zip(shared, asked, strict=True)
        if fault is not None
        for place in group[1:]
    }


def _asked(environment: Environment) -> str | None:
    """Why the store does not answer; None where it does."""
    try:
        next(iter(environment.store.list(environment.keys.watch)), None)
    except (StoreError, StoreRefused) as error:
        return error.message
    return None
