"""The buckets that policies name on the embedded S3 server."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from holdfast_embedded.demo.connections import variable
from holdfast_embedded.protected import Protected
from holdfast_embedded.seaweedfs import SeaweedFS


def make_buckets(protected: Protected, store: SeaweedFS, connections: Mapping[str, str]) -> None:
    """Create those that stores reached by one of the demo's ``connections`` need; others are their owner's affair."""
    places = [environment.policy.store for environment in protected.environments]
    ours = {
        urlsplit(place.url).netloc
        for place in places
        if place.url.startswith("s3://") and place.conn_id and variable(place.conn_id) in connections
    }
    for bucket in sorted(ours):
        store.create_bucket(bucket)
