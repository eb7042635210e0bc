"""Opening a store by its URL and connection: what is taken, and how what is wrong is named."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from holdfast.errors import UsageError
from holdfast.storage.opening import open_store
from holdfast.values.connection import Connection

CANARY = "canary-5ecret/+=%"
KEY = base64.b64encode(CANARY.encode()).decode()
SERVICE_ACCOUNT = {
    "type": "service_account",
    "client_email": "backup@project.iam.gserviceaccount.com",
    "private_key_id": "1",
    "private_key": CANARY,
}


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("file:///srv/backups", "file:///srv/backups"),
        ("file:///srv/backups/", "file:///srv/backups"),
        ("file://localhost/srv/backups", "file:///srv/backups"),
        ("file:///srv/with%20space/%C3%A4", "file:///srv/with%20space/%C3%A4"),
        ("s3://bucket", "s3://bucket"),
        ("s3://bucket/", "s3://bucket"),
        ("s3://my.bucket-1/a/b/", "s3://my.bucket-1/a/b"),
    ],
)
def test_urls_that_are_taken(url: str, shown: str) -> None:
    """The store's url is the same place in one spelling."""
    connection = Connection("x", "aws", login="key", password="secret")
    assert open_store(url, connection).url == shown


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "no scheme"),
        ("/srv/backups", "no scheme"),
        ("backups", "no scheme"),
        ("ftp://host/dir", "no scheme that is known"),
        ("http://host/bucket", "no scheme that is known"),
        ("file://relative/dir", "is relative"),
        ("file:relative/dir", "is relative"),
        ("file://", "is relative"),
        ("file:///srv/../etc", "cannot stand"),
        ("file:///srv/%00", "cannot stand"),
        ("file:///srv/a?b", r"\? or #"),
        ("file:///srv/a#b", r"\? or #"),
        ("s3://", "no bucket"),
        ("s3:///prefix", "no bucket"),
        ("s3://-/prefix", "no bucket"),
        ("s3://bucket/a//b", "prefix"),
        ("s3://bucket/a b", "prefix"),
        ("s3://bucket/../b", "prefix"),
        ("s3://bucket/a?versionId=1", r"\? or #"),
        ("s3://[bucket", "cannot be read"),
    ],
)
def test_urls_that_are_refused(url: str, reason: str) -> None:
    """The message says what is wrong with the URL, the hint how one looks."""
    with pytest.raises(UsageError, match=f"^store url: .*{reason}") as caught:
        open_store(url, Connection("x", "aws", login="key", password="secret"))
    assert caught.value.hint is not None
    assert "file:///directory" in caught.value.hint


def test_credentials_in_a_url_are_refused_and_not_repeated() -> None:
    """URLs are shown and stored; connections are for secrets."""
    with pytest.raises(UsageError, match="holds credentials") as caught:
        open_store(f"s3://key:{CANARY}@bucket/prefix")
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "connection", "reason"),
    [
        ("s3://bucket", Connection("c", "postgres", login="a", password="b"), "connection c: conn_type is postgres"),
        ("s3://bucket", Connection("c", "aws", login="a"), "connection c: has no password"),
        ("s3://bucket", Connection("c", "aws", password=CANARY), "connection c: has no login"),
        ("s3://bucket", Connection("c", "aws", extra={"role_arn": "arn:x"}), "connection c: extra.role_arn"),
        (
            "s3://bucket",
            Connection("c", "aws", login="a", password="b", extra={"endpoint_url": "127.0.0.1:8333"}),
            "connection c: extra.endpoint_url is not of the form",
        ),
        (
            "s3://bucket",
            Connection("c", "aws", login="a", password="b", extra={"endpoint_url": f"http://u:{CANARY}@host"}),
            "connection c: extra.endpoint_url is not of the form",
        ),
        (
            "s3://bucket",
            Connection("c", "aws", login="a", password="b", extra={"region_name": 1}),
            "connection c: extra.region_name is not a text",
        ),
        (
            "s3://bucket",
            Connection("c", "aws", login="a", password="b", extra={"verify": False}),
            "connection c: extra.verify is false",
        ),
        (
            "s3://bucket",
            Connection("c", "aws", login="a", password="b", extra={"verify": "/nonexistent.pem"}),
            "connection c: extra.verify names a file that cannot be read",
        ),
        ("s3://bucket", Connection("c", "aws", extra={"profile_name": "absent"}), "connection c: has no login, and"),
        ("gs://bucket", Connection("c", "aws"), "connection c: conn_type is aws"),
        (
            "gs://bucket",
            Connection("c", "google_cloud_platform", extra={"keyfile_dict": f"{{{CANARY}"}),
            "connection c: extra.keyfile_dict is not JSON",
        ),
        (
            "gs://bucket",
            Connection("c", "google_cloud_platform", extra={"keyfile_dict": {"private_key": CANARY}}),
            "connection c: extra.keyfile_dict lacks client_email, private_key_id",
        ),
        (
            "gs://bucket",
            Connection("c", "google_cloud_platform", extra={"keyfile_dict": SERVICE_ACCOUNT}),
            "connection c makes no usable client",
        ),
        (
            "gs://bucket",
            Connection("c", "google_cloud_platform", extra={"key_path": "/nonexistent.json"}),
            "connection c: extra.key_path names no file",
        ),
        ("az://container", None, r"connection \(none\): an az:// store needs the storage account"),
        ("az://container", Connection("c", "wasb", password=KEY), "connection c: an az:// store needs"),
        ("az://container", Connection("c", "aws", login="a", password=KEY), "connection c: conn_type is aws"),
        ("az://container", Connection("c", "wasb", login="a", password=CANARY), "connection c: password is not an acc"),
        (
            "az://container",
            Connection("c", "wasb", login="a", extra={"connection_string": CANARY}),
            "connection c: extra.connection_string is not heeded",
        ),
        (
            "az://container",
            Connection("c", "wasb", login="a", extra={"tenant_id": "t"}),
            "connection c: extra.tenant_id needs client_id",
        ),
    ],
)
def test_wrong_connections_are_named(url: str, connection: Connection | None, reason: str) -> None:
    """The message names connection and field, and repeats no secret."""
    with pytest.raises(UsageError, match=reason) as caught:
        open_store(url, connection)
    shown = f"{caught.value} {caught.value.hint} {caught.value.__cause__!r} {caught.value.__context__!r}"
    assert CANARY not in shown
    assert KEY not in shown


def test_google_and_azure_stores_open(tmp_path: Path) -> None:
    """Every form of login makes a client; no request is made yet."""
    rsa = _private_key()
    account = {**SERVICE_ACCOUNT, "private_key": rsa}
    file = tmp_path / "key.json"
    file.write_text(json.dumps(account))
    google = "google_cloud_platform"
    for connection in (
        Connection("g", google, extra={"keyfile_dict": account}),
        Connection("g", google, extra={"keyfile_dict": json.dumps(account)}),
        Connection("g", google, extra={"key_path": str(file)}),
    ):
        assert open_store("gs://bucket/prefix", connection).url == "gs://bucket/prefix"
    for connection in (
        Connection("a", "wasb", login="account", password=KEY),
        Connection("a", "wasb", login="account", extra={"sas_token": "?sv=2024-11-04&sig=x"}),
        Connection("a", "wasb", login="account", password=KEY, host="http://127.0.0.1:10000/account"),
        Connection("a", "wasb", login="account", extra={"tenant_id": "t", "client_id": "c", "client_secret": "s"}),
        Connection("a", "wasb", login="account"),
    ):
        assert open_store("az://container/prefix", connection).url == "az://container/prefix"
        assert open_store("abfs://container", connection).url == "abfs://container"


def test_no_store_shows_its_secret() -> None:
    """Neither repr of a store nor of its parts, which logs and tracebacks may hold."""
    store = open_store("s3://bucket/x", Connection("x", "aws", login="key", password=CANARY))
    assert CANARY not in repr(store) + repr(vars(store))
    store = open_store("az://bucket/x", Connection("x", "wasb", login="account", password=KEY))
    assert KEY not in repr(store) + repr(vars(store))


def _private_key() -> str:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    return (
        rsa.generate_private_key(65537, 2048)
        .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        .decode()
    )
