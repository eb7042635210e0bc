"""A real S3 server for the time of a measure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from holdfast_embedded.seaweedfs import SeaweedFS

from bench.engine import Engine
from bench.place import Place
from bench.policy import BUCKET, STORE_CONN_ID
from bench.watch import Watch


@contextmanager
def object_store(place: Place, engine: Engine, watch: Watch) -> Iterator[Engine]:
    """The engine with a connection to a bucket of its own; the server and all that it holds go away afterwards."""
    with SeaweedFS(place.seaweedfs) as server:
        with watch.doing("starting SeaweedFS"):
            server.create_bucket(BUCKET)
        connection = {
            "conn_type": "aws",
            "login": server.access_key,
            "password": server.secret_key,
            "extra": {"endpoint_url": server.endpoint, "region_name": "us-east-1"},
        }
        yield engine.knowing(STORE_CONN_ID, json.dumps(connection))
