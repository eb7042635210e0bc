"""Clients for S3 and servers that speak it, from an Airflow connection of type aws or from the SDK's own sources."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from obstore.store import S3Store

from holdfast.errors import UsageError
from holdfast.storage.backend import client_options, retry_options
from holdfast.storage.connections import extra_text, require_type, wrong_extra
from holdfast.values.connection import Connection

if TYPE_CHECKING:
    from obstore.store import S3Config, S3Credential, S3CredentialProvider

_DEFAULT_REGION = "us-east-1"
_NO_CONNECTION = Connection("", "aws")


@dataclass(frozen=True, slots=True)
class _Login:
    """Static keys, handed to obstore by a call so that no AWS_… variable can mix with them."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(repr=False)

    def __call__(self) -> S3Credential:
        return {
            "access_key_id": self.access_key,
            "secret_access_key": self.secret_key,
            "token": self.token,
            "expires_at": None,
        }


def s3_clients(
    bucket: str, prefix: str | None, connection: Connection | None, environ: Mapping[str, str] = os.environ
) -> Callable[[int], S3Store]:
    """Makes clients of which each request may take so many seconds.

    Login and password are the keys; the extra may hold endpoint_url, region_name, aws_session_token,
    profile_name, and as verify a file of CA certificates. Without login the keys are found where AWS's SDK
    finds them. Raises UsageError that names the wrong field.
    """
    connection = connection or _NO_CONNECTION
    require_type(connection, "aws")
    provider, region = _credentials(connection)
    config: S3Config = {
        "region": extra_text(connection, "region_name") or region or _DEFAULT_REGION,
        # obstore reads AWS_… variables for whatever is not said here.
        "virtual_hosted_style_request": False,
        "skip_signature": False,
        "s3_express": False,
        "disable_bulk_delete": True,  # some servers that speak S3 lack it, and we never delete many at once
    }
    endpoint = _endpoint(connection, environ)
    if endpoint is not None:
        config["aws_endpoint_url_s3"] = endpoint
    authority = _authority(connection)

    def make(timeout_s: int) -> S3Store:
        options = client_options(timeout_s, allow_http=endpoint is not None and endpoint.startswith("http://"))
        if authority is not None:
            options["root_certificate"] = authority
        return S3Store(
            bucket,
            prefix=prefix,
            config=config,
            client_options=options,
            retry_config=retry_options(),
            credential_provider=provider,
        )

    return make


def _credentials(connection: Connection) -> tuple[S3CredentialProvider, str | None]:
    """Where the keys come from, and the region if that is known there too."""
    if extra_text(connection, "role_arn"):
        raise wrong_extra(connection, "role_arn", "is not heeded: name a profile_name that assumes the role")
    access_key = connection.login or extra_text(connection, "aws_access_key_id")
    secret_key = connection.password or extra_text(connection, "aws_secret_access_key")
    if access_key and secret_key:
        return _Login(access_key, secret_key, extra_text(connection, "aws_session_token")), None
    if access_key or secret_key:
        missing = "password (the secret key)" if access_key else "login (the access key)"
        raise UsageError(f"connection {connection.conn_id}: has no {missing}")
    return _found_by_sdk(connection)


def _found_by_sdk(connection: Connection) -> tuple[S3CredentialProvider, str | None]:
    """Environment, profiles, web identity, container or instance: whatever AWS's SDK finds."""
    # Slow to import, and needed here alone; neither has types.
    import boto3  # type: ignore[import-untyped]
    from botocore.exceptions import BotoCoreError  # type: ignore[import-untyped]
    from obstore.auth.boto3 import Boto3CredentialProvider

    who = f"connection {connection.conn_id}: has no login, and" if connection.conn_id else "S3 store without conn_id:"
    hint = "Give the store's connection the access key as login and the secret key as password."
    profile = extra_text(connection, "profile_name")
    try:
        session = boto3.Session(profile_name=profile)
        return Boto3CredentialProvider(session), session.region_name
    except BotoCoreError as error:
        raise UsageError(f"{who} AWS's SDK finds no credentials: {error}", hint=hint) from error
    except ValueError:
        raise UsageError(f"{who} AWS's SDK finds no credentials on this machine", hint=hint) from None


def _endpoint(connection: Connection, environ: Mapping[str, str]) -> str | None:
    endpoint = (
        extra_text(connection, "endpoint_url")
        or environ.get("AWS_ENDPOINT_URL_S3")
        or environ.get("AWS_ENDPOINT_URL")
        or None
    )
    if endpoint is None:
        return None
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or "@" in endpoint:
        raise wrong_extra(connection, "endpoint_url", "is not of the form https://host:port")
    return endpoint.rstrip("/")


def _authority(connection: Connection) -> bytes | None:
    if connection.extra.get("verify") is False:
        raise wrong_extra(connection, "verify", "is false, but certificates are always checked")
    path = None if connection.extra.get("verify") is True else extra_text(connection, "verify")
    if path is None:
        return None
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise wrong_extra(connection, "verify", f"names a file that cannot be read: {error.strerror}") from error
