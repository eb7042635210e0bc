"""Buckets on the real S3 server: fresh ones, one that locks, and their settings as another client sees them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import suppress
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

    def remove(self) -> None:
        """Give back the room that the server keeps for each bucket; one with objects locked for good has to stay."""
        with suppress(ClientError):
            self.client.delete_bucket_policy(Bucket=self.name)
        for page in self.client.get_paginator("list_object_versions").paginate(Bucket=self.name):
            for each in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                self._remove_version(each["Key"], each["VersionId"])
        with suppress(ClientError):
            self.client.delete_bucket(Bucket=self.name)

    def _remove_version(self, key: str, version: str) -> None:
        where = {"Bucket": self.name, "Key": key, "VersionId": version}
        with suppress(ClientError):
            self.client.put_object_legal_hold(**where, LegalHold={"Status": "OFF"})
        with suppress(ClientError):
            self.client.delete_object(**where, BypassGovernanceRetention=True)

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
def raw_bucket(s3_client: Any) -> Iterator[RawBucket]:
    """A new bucket, as the server makes it."""
    found = RawBucket(f"fresh-{next(_numbers)}", s3_client)
    found.create_bucket()
    yield found
    found.remove()


@pytest.fixture
def lock_bucket(s3_client: Any) -> Iterator[RawBucket]:
    """A new bucket that can lock objects, and locks none by itself."""
    found = RawBucket(f"locking-{next(_numbers)}", s3_client)
    found.create_bucket(ObjectLockEnabledForBucket=True)
    yield found
    found.remove()


@pytest.fixture(scope="session")
def guarded_bucket(s3_client: Any) -> RawBucket:
    """One that keeps versions, locks what is stored and encrypts it, as the guard wants it."""
    found = RawBucket("guarded", s3_client)
    found.create_bucket(ObjectLockEnabledForBucket=True)
    retention = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 1}}
    found.put_object_lock_configuration(ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": retention})
    encryption = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    found.put_bucket_encryption(ServerSideEncryptionConfiguration={"Rules": [encryption]})
    return found
