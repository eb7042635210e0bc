"""The store contract on a bucket as the guard wants it: versions kept, objects locked, encrypted by default."""

from __future__ import annotations

import itertools

import pytest

from fix_bucket import RawBucket
from holdfast.storage.opening import open_store
from holdfast.storage.protocol import Store
from holdfast_embedded.seaweedfs import SeaweedFS
from store_contract import StoreContract

_numbers = itertools.count(1)


class TestGuardedStore(StoreContract):
    """On SeaweedFS."""

    @pytest.fixture
    def store(self, seaweed: SeaweedFS, guarded_bucket: RawBucket) -> Store:
        return open_store(f"s3://{guarded_bucket.name}/store-{next(_numbers)}", seaweed.connection("tests_s3"))
