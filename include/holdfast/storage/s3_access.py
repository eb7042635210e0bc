"""Where an S3 server is and who asks it, read from an Airflow connection of type aws or left to AWS's SDK."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from holdfast.errors import UsageError
from holdfast.storage.connections import extra_text, require_type, wrong_extra
from holdfast.values.connection import Connection

DEFAULT_REGION = "us-east-1"
_NO_CONNECTION = Connection("", "aws")


@dataclass(frozen=True, slots=True)
class Login:
    """Static keys."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class S3Access:
    """What a client needs to know. Without ``login``, AWS's SDK finds the keys; ``authority`` is a file of CAs."""

    conn_id: str
    endpoint: str | None
    region: str | None
    login: Login | None
    profile: str | None
    authority: Path | None

    @classmethod
    def of(cls, connection: Connection | None, environ: Mapping[str, str] = os.environ) -> S3Access:
        """Read a connection's fields.

        Login and password are the keys; the extra may hold endpoint_url, region_name, aws_session_token,
        profile_name, and as verify a file of CA certificates. Raises UsageError that names the wrong field.
        """
        connection = connection or _NO_CONNECTION
        require_type(connection, "aws")
        return cls(
            connection.conn_id,
            login=_login(connection),
            endpoint=_endpoint(connection, environ),
            region=extra_text(connection, "region_name"),
            profile=extra_text(connection, "profile_name"),
            authority=_authority(connection),
        )

    def sdk_session(self) -> Any:
        """boto3's session of the profile; raises UsageError where there is no such profile."""
        # Slow to import, and without types.
        import boto3  # type: ignore[import-untyped]
        from botocore.exceptions import BotoCoreError  # type: ignore[import-untyped]

        try:
            return boto3.Session(profile_name=self.profile)
        except BotoCoreError as error:
            raise self.without_credentials(f": {error}") from error

    def without_credentials(self, reason: str = " on this machine") -> UsageError:
        """The error where AWS's SDK finds no keys."""
        who = f"connection {self.conn_id}: has no login, and" if self.conn_id else "S3 store without conn_id:"
        return UsageError(
            f"{who} AWS's SDK finds no credentials{reason}",
            hint="Give the store's connection the access key as login and the secret key as password.",
        )


def _login(connection: Connection) -> Login | None:
    if extra_text(connection, "role_arn"):
        raise wrong_extra(connection, "role_arn", "is not heeded: name a profile_name that assumes the role")
    access_key = connection.login or extra_text(connection, "aws_access_key_id")
    secret_key = connection.password or extra_text(connection, "aws_secret_access_key")
    if access_key and secret_key:
        return Login(access_key, secret_key, extra_text(connection, "aws_session_token"))
    if access_key or secret_key:
        missing = "password (the secret key)" if access_key else "login (the access key)"
        raise UsageError(f"connection {connection.conn_id}: has no {missing}")
    return None


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


def _authority(connection: Connection) -> Path | None:
    if connection.extra.get("verify") is False:
        raise wrong_extra(connection, "verify", "is false, but certificates are always checked")
    path = None if connection.extra.get("verify") is True else extra_text(connection, "verify")
    if path is None:
        return None
    try:
        Path(path).open("rb").close()
    except OSError as error:
        raise wrong_extra(connection, "verify", f"names a file that cannot be read: {error.strerror}") from error
    return Path(path)
