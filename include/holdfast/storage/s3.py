"""Clients for S3 and servers that speak it, from an Airflow connection of type aws or from the SDK's own sources."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from obstore.store import S3Store

from holdfast.storage.backend import client_options, retry_options
from holdfast.storage.s3_access import DEFAULT_REGION, Login, S3Access
from holdfast.values.connection import Connection

if TYPE_CHECKING:
    from obstore.store import S3Config, S3Credential, S3CredentialProvider


@dataclass(frozen=True, slots=True)
class _Static:
    """Static keys, handed to obstore by a call so that no AWS_… variable can mix with them."""

    login: Login

    def __call__(self) -> S3Credential:
        return {
            "access_key_id": self.login.access_key,
            "secret_access_key": self.login.secret_key,
            "token": self.login.token,
            "expires_at": None,
        }


def s3_clients(
    bucket: str, prefix: str | None, connection: Connection | None, environ: Mapping[str, str] = os.environ
) -> Callable[[int], S3Store]:
    """Makes clients of which each request may take so many seconds; see S3Access for the connection's fields.

    Raises UsageError that names the wrong field.
    """
    access = S3Access.of(connection, environ)
    provider, region = _credentials(access)
    config: S3Config = {
        "region": access.region or region or DEFAULT_REGION,
        # obstore reads AWS_… variables for whatever is not said here.
        "virtual_hosted_style_request": False,
        "skip_signature": False,
        "s3_express": False,
        "disable_bulk_delete": True,  # some servers that speak S3 lack it, and we never delete many at once
    }
    endpoint = access.endpoint
    if endpoint is not None:
        config["aws_endpoint_url_s3"] = endpoint
    authority = None if access.authority is None else access.authority.read_bytes()

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


def _credentials(access: S3Access) -> tuple[S3CredentialProvider, str | None]:
    """Where the keys come from, and the region if that is known there too."""
    if access.login is not None:
        return _Static(access.login), None
    return _found_by_sdk(access)


def _found_by_sdk(access: S3Access) -> tuple[S3CredentialProvider, str | None]:
    """Environment, profiles, web identity, container or instance: whatever AWS's SDK finds."""
    # Slow to import, and needed here alone; the second has no types.
    from botocore.exceptions import BotoCoreError  # type: ignore[import-untyped]
    from obstore.auth.boto3 import Boto3CredentialProvider

    session = access.sdk_session()
    try:
        return Boto3CredentialProvider(session), session.region_name
    except BotoCoreError as error:
        raise access.without_credentials(f": {error}") from error
    except ValueError:
        raise access.without_credentials() from None
