"""The store on S3: the contract on a real server, and what only a bucket has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3  # type: ignore[import-untyped]
import pytest

from holdfast.errors import ObjectExists, UsageError
from holdfast.storage.opening import open_store
from holdfast.storage.protocol import Store
from holdfast_embedded.seaweedfs import SeaweedFS
from store_contract import LARGE, StoreContract, keys_of, large_pieces


class TestS3Store(StoreContract):
    """On SeaweedFS."""

    @pytest.fixture
    def store(self, s3_store: Store) -> Store:
        return s3_store


@pytest.fixture
def s3(seaweed: SeaweedFS) -> Iterator[Any]:
    """Another client of the same server."""
    client = boto3.client(
        "s3",
        endpoint_url=seaweed.endpoint,
        aws_access_key_id=seaweed.access_key,
        aws_secret_access_key=seaweed.secret_key,
        region_name="us-east-1",
    )
    yield client
    client.close()


def test_keys_lie_below_the_prefix(seaweed: SeaweedFS, s3: Any) -> None:
    """Another client finds the object under prefix and key, spelt as they are."""
    bucket = seaweed.create_bucket("prefixed")
    store = open_store(f"s3://{bucket}/team/holdfast/", seaweed.connection("x"))
    store.put("app/production/manifest.json", [b"{}"])
    store.put("app/production/large", large_pieces())
    found = [each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert found == ["team/holdfast/app/production/large", "team/holdfast/app/production/manifest.json"]
    assert store.url == "s3://prefixed/team/holdfast"
    assert keys_of(open_store(f"s3://{bucket}", seaweed.connection("x"))) == found


def test_a_failed_upload_leaves_no_parts(seaweed: SeaweedFS, s3: Any) -> None:
    """The upload is aborted: parts that nobody sees would be paid for without end."""
    bucket = seaweed.create_bucket("aborted")
    store = open_store(f"s3://{bucket}/x", seaweed.connection("x"))

    def failing() -> Iterator[bytes]:
        yield from large_pieces()
        raise RuntimeError

    def late() -> Iterator[bytes]:
        yield from large_pieces()
        store.put("taken", [b"first"])

    with pytest.raises(RuntimeError):
        store.put("broken", failing())
    with pytest.raises(ObjectExists):
        store.put("taken", late())
    assert s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []
    assert keys_of(store) == ["taken"]


def test_variables_of_the_environment_do_not_mix_in(seaweed: SeaweedFS, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection with a login is used alone, whatever AWS variables the worker has."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "other",
        "AWS_SECRET_ACCESS_KEY": "other",
        "AWS_SESSION_TOKEN": "other",
        "AWS_REGION": "eu-north-1",
        "AWS_DEFAULT_REGION": "eu-north-1",
        "AWS_BUCKET": "other",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
        "AWS_SKIP_SIGNATURE": "true",
        "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "true",
        "AWS_S3_EXPRESS": "true",
        "AWS_REQUEST_PAYER": "true",
    }.items():
        monkeypatch.setenv(name, value)
    bucket = seaweed.create_bucket("alone")
    store = open_store(f"s3://{bucket}/x", seaweed.connection("x"))
    store.put("a", large_pieces())
    assert store.head("a").size_bytes == LARGE


def test_without_login_the_sdk_finds_the_keys(seaweed: SeaweedFS, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Instance roles, profiles and variables work as they do for other AWS programs."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", seaweed.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", seaweed.secret_key)
    monkeypatch.setenv("AWS_ENDPOINT_URL", seaweed.endpoint)
    store = open_store(f"s3://{bucket}/ambient")
    store.put("a", large_pieces())
    assert keys_of(store) == ["a"]


def test_without_any_keys_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """No request is made in the name of nobody."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(UsageError, match="finds no credentials"):
        open_store("s3://bucket/x")
