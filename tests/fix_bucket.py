"""Buckets on the real S3 server: fresh ones, one that locks, and their settings as another client sees them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3  # type: ignore[import-untyped]
import pytest
from botocore.exceptions import ClientError  # type: ignore[import-untyped]

from holdfast_embedded.seaweedfs import SeaweedFS

_numbers = itertools.count(1)
_SETTINGS = (
    "get_bucket_versioning",
    "get_bucket_lifecycle_configuration",
    "get_bucket_encryption",
    "get_object_lock_configuration",
    "get_bucket_acl",
    "get_bucket_policy",
    "list_object_versions",
    "list_multipart_uploads",
)


@dataclass(frozen=True)
class RawBucket:
    """A bucket by way of a client of its own."""

    name: str
    client: Any

    def __getattr__(self, operation: str) -> Any:
        call = getattr(self.client, operation)
        return lambda **parameters: call(Bucket=self.name, **parameters)

    def state(self) -> dict[str, object]:
        """Every setting and every version that it holds."""
        return {name: self._asked(name) for name in _SETTINGS}

    def keep_versions(self) -> None:
        """Turn versioning on."""
        self.put_bucket_versioning(VersioningConfiguration={"Status": "Enabled"})

    def allow_everybody(self, *actions: str) -> None:
        """A bucket policy as careless people write it."""
        places = [f"arn:aws:s3:::{self.name}", f"arn:aws:s3:::{self.name}/*"]
        statements = [{"Effect": "Allow", "Principal": "*", "Action": list(actions), "Resource": places}]
        self.put_bucket_policy(Policy=json.dumps({"Version": "2012-10-17", "Statement": statements}))

    def _asked(self, operation: str) -> object:
        try:
            answer = getattr(self.client, operation)(Bucket=self.name)
        except ClientError as error:
            return error.response["Error"]["Code"]
        return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


@pytest.fixture(scope="session")
def s3_client(seaweed: SeaweedFS) -> Iterator[Any]:
    """Another client of the S3 server."""
    client = boto3.client(
        "s3",
        endpoint_url=seaweed.endpoint,
        aws_access_key_id=seaweed.access_key,
        aws_secret_access_key=seaweed.secret_key,
        region_name="us-east-1",
    )
    yield client
    client.close()


@pytest.fixture
def raw_bucket(s3_client: Any) -> RawBucket:
    """A new bucket, as the server makes it."""
    found = RawBucket(f"fresh-{next(_numbers)}", s3_client)
    found.create_bucket()
    return found


@pytest.fixture
def lock_bucket(s3_client: Any) -> RawBucket:
    """A new bucket that can lock objects, and locks none by itself."""
    found = RawBucket(f"locking-{next(_numbers)}", s3_client)
    found.create_bucket(ObjectLockEnabledForBucket=True)
    return found
