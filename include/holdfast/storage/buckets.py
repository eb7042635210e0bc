"""A bucket by way of boto3: its settings, its versions and locks, which the Store protocol does not know."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from holdfast.errors import HoldfastError, PermanentError, StoreError, StoreRefused
from holdfast.storage.answers import Answer
from holdfast.storage.s3_access import DEFAULT_REGION, S3Access
from holdfast.values.connection import Connection

_CONNECT_S = 5
_READ_S = 30
_ATTEMPTS = 6
_ATTEMPTS_UNSIGNED = 3
_AT_ONCE = 32
_NOT_OFFERED = ("NotImplemented", "MethodNotAllowed", "XNotImplemented")
_NO_KEYS = ("NoCredentialsError", "PartialCredentialsError")
_TRANSPORT = {
    "EndpointConnectionError": "no connection to its endpoint",
    "ConnectTimeoutError": "no answer in time",
    "ReadTimeoutError": "no answer in time",
    "ConnectionClosedError": "the connection was cut",
    "SSLError": "its TLS certificate is not trusted",
    "NoCredentialsError": "no usable credentials",
    "PartialCredentialsError": "no usable credentials",
}


class NotOffered(PermanentError):
    """The server has no such function."""


@dataclass(frozen=True)
class Bucket:
    """A bucket and the prefix in it, ``""`` or with its closing slash. Clients may be used from several threads."""

    name: str
    prefix: str
    access: S3Access

    @property
    def url(self) -> str:
        """Scheme, bucket and prefix."""
        return f"s3://{self.name}/{self.prefix}".rstrip("/")

    @cached_property
    def client(self) -> Any:
        """boto3's client, logged in."""
        return self._client(is_signed=True)

    @cached_property
    def anonymous(self) -> Any:
        """A client that names nobody, as anyone on the network may ask."""
        return self._client(is_signed=False)

    def ask(self, operation: str, *, absent: tuple[str, ...] = (), **parameters: object) -> Any:
        """One request about the bucket; None where the server answers with one of the codes in ``absent``.

        Raises NotOffered, StoreRefused or StoreError.
        """
        with self.explained(operation.replace("_", " ")):
            try:
                return getattr(self.client, operation)(Bucket=self.name, **parameters)
            except self.client.exceptions.ClientError as error:
                if code_of(error) in absent:
                    return None
                raise

    @contextmanager
    def explained(self, act: str) -> Iterator[None]:
        """Turn botocore's exceptions into ours."""
        from botocore.exceptions import BotoCoreError, ClientError  # type: ignore[import-untyped]

        try:
            yield
        except (BotoCoreError, ClientError) as error:
            raise self._translated(error, act) from None

    def _translated(self, error: Exception, act: str) -> HoldfastError:
        answer = answer_of(error)
        message = f"store {self.url}: cannot {act}: {answer.reason}"
        if answer.code in _NOT_OFFERED or answer.status in (405, 501):
            return NotOffered(message)
        kind = StoreRefused if answer.is_about_access or type(error).__name__ in _NO_KEYS else StoreError
        return kind(message, hint=answer.hint)

    def _client(self, *, is_signed: bool) -> Any:
        # Slow to import.
        from botocore import UNSIGNED  # type: ignore[import-untyped]
        from botocore.config import Config  # type: ignore[import-untyped]

        session = self._session(is_signed=is_signed)
        config = Config(
            connect_timeout=_CONNECT_S,
            read_timeout=_READ_S,
            retries={"mode": "standard", "max_attempts": _ATTEMPTS if is_signed else _ATTEMPTS_UNSIGNED},
            max_pool_connections=_AT_ONCE,
            s3={"addressing_style": "path"},
            ignore_configured_endpoint_urls=True,  # S3Access has read the variables that are heeded
            # Newer checksums than the wanted ones are refused by many servers that speak S3.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            **({} if is_signed else {"signature_version": UNSIGNED}),
        )
        with self.explained("make a client"):
            return session.client(
                "s3",
                region_name=self.access.region or session.region_name or DEFAULT_REGION,
                endpoint_url=self.access.endpoint,
                verify=None if self.access.authority is None else str(self.access.authority),
                config=config,
                **(_keys(self.access) if is_signed else {}),
            )

    def _session(self, *, is_signed: bool) -> Any:
        if is_signed and self.access.login is None:
            return self.access.sdk_session()
        import boto3  # type: ignore[import-untyped]  # slow to import
        from botocore.session import Session  # type: ignore[import-untyped]

        # A profile that the host's variables name must not mix with the connection's own keys.
        return boto3.Session(botocore_session=Session({"profile": (None, [], None, None)}))


def open_bucket(url: str, connection: Connection | None, environ: Mapping[str, str] = os.environ) -> Bucket:
    """The bucket and prefix of an ``s3://`` URL; nothing is asked yet. Raises UsageError."""
    parts = urlsplit(url)
    prefix = parts.path.strip("/")
    return Bucket(parts.netloc, f"{prefix}/" if prefix else "", S3Access.of(connection, environ))


def code_of(error: BaseException) -> str:
    """The code in the answer, empty where there was none."""
    return str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))


def answer_of(error: BaseException) -> Answer:
    """What can be told of botocore's exception."""
    response: Mapping[str, Any] = getattr(error, "response", {})
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    if status is None:
        name = type(error).__name__
        return Answer(None, None, _TRANSPORT.get(name, f"the request failed ({name})"))
    code = code_of(error)
    message = " ".join(str(response["Error"].get("Message", "")).split()).rstrip(".")[:300]
    words = [f"the store answered {status}", *([code] if code and code != str(status) else [])]
    return Answer(int(status), code or None, " ".join(words) + (f": {message}" if message else ""))


def _keys(access: S3Access) -> dict[str, str | None]:
    if access.login is None:
        return {}
    return {
        "aws_access_key_id": access.login.access_key,
        "aws_secret_access_key": access.login.secret_key,
        "aws_session_token": access.login.token,
    }
