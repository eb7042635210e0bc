"""A real S3 server for tests, and stores of every kind that can be reached here."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from holdfast.storage.opening import open_store
from holdfast.storage.protocol import Store
from holdfast_embedded.seaweedfs import SeaweedFS

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SeaweedFS]:
    """SeaweedFS, one for the session: it takes more than a gigabyte of memory."""
    with SeaweedFS(tmp_path_factory.mktemp("seaweedfs")) as server:
        yield server


@pytest.fixture(scope="session")
def bucket(seaweed: SeaweedFS) -> str:
    """The bucket of the stores made here; each has a prefix of its own."""
    return seaweed.create_bucket("holdfast-tests")


@pytest.fixture
def s3_store(seaweed: SeaweedFS, bucket: str) -> Store:
    """An empty store on the S3 server."""
    return open_store(f"s3://{bucket}/store-{next(_numbers)}", seaweed.connection("tests_s3"))


@pytest.fixture
def local_store(tmp_path: Path) -> Store:
    """An empty store in a directory that does not exist yet."""
    return open_store((tmp_path / "store").as_uri())


@pytest.fixture(params=["local", "s3"])
def store(request: pytest.FixtureRequest) -> Store:
    """An empty store, of each kind in turn."""
    made: Store = request.getfixturevalue(f"{request.param}_store")
    return made


@pytest.fixture(params=["local", "s3"])
def make_store(request: pytest.FixtureRequest) -> Callable[[], Store]:
    """Makes empty stores, of each kind in turn."""
    if request.param == "s3":
        server, bucket = request.getfixturevalue("seaweed"), request.getfixturevalue("bucket")
        return lambda: open_store(f"s3://{bucket}/store-{next(_numbers)}", server.connection("tests_s3"))
    folder = request.getfixturevalue("tmp_path")
    return lambda: open_store((folder / f"store-{next(_numbers)}").as_uri())
