"""A real S3 server for the time of a measure."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from bench.engine import Engine
from bench.place import Place
from bench.policy import BUCKET, STORE_CONN_ID
from holdfast_embedded.seaweedfs import SeaweedFS


@contextmanager
def object_store(place: Place, engine: Engine) -> Iterator[Engine]:
    """The engine with a connection to a bucket of its own; the server and all that it holds go away afterwards."""
    try:
        with SeaweedFS(place.seaweedfs) as server:
            server.create_bucket(BUCKET)
            yield engine.knowing(STORE_CONN_ID, server.connection_json())
    finally:
        shutil.rmtree(place.seaweedfs, ignore_errors=True)
