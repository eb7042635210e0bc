"""Clients for Azure Blob Storage, from an Airflow connection of type wasb or Azure's own sources."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import TYPE_CHECKING

from obstore.store import AzureStore

from holdfast.errors import UsageError
from holdfast.storage.backend import client_options, retry_options
from holdfast.storage.connections import extra_text, require_type, wrong_extra
from holdfast.values.connection import Connection

if TYPE_CHECKING:
    from obstore.store import AzureConfig


def azure_clients(container: str, prefix: str | None, connection: Connection | None) -> Callable[[int], AzureStore]:
    """Makes clients of which each request may take so many seconds.

    Login is the account, password its key; instead of the key the extra may hold sas_token, or tenant_id
    with a service principal's client_id and client_secret. ``host`` may be the account's URL. With no secret
    at all the machine's managed identity is used. Raises UsageError that names the wrong field.
    """
    config = _config(connection)
    endpoint = config.get("endpoint", "")

    def make(timeout_s: int) -> AzureStore:
        return AzureStore(
            container,
            prefix=prefix,
            config=config,
            client_options=client_options(timeout_s, allow_http=endpoint.startswith("http://")),
            retry_config=retry_options(),
        )

    return make


def _config(connection: Connection | None) -> AzureConfig:
    if connection is None or not connection.login:
        name = connection.conn_id if connection else "(none)"
        raise UsageError(
            f"connection {name}: an az:// store needs the storage account in its login",
            hint="Name a connection of type wasb in store.conn_id: login is the account, password its key.",
        )
    require_type(connection, "wasb")
    if extra_text(connection, "connection_string"):
        raise wrong_extra(connection, "connection_string", "is not heeded: give login, password and host instead")
    config: AzureConfig = {"account_name": connection.login, **_secret(connection)}
    if connection.host and connection.host.startswith(("http://", "https://")):
        config["endpoint"] = connection.host.rstrip("/")
    return config


def _secret(connection: Connection) -> AzureConfig:
    """The credential, its kind named, for obstore reads AZURE_… variables for whatever is not said here."""
    sas = extra_text(connection, "sas_token")
    tenant = extra_text(connection, "tenant_id")
    if sas is not None:
        return {"sas_key": sas.removeprefix("?"), "credential_type": "sas_token"}
    if tenant is not None:
        client, secret = extra_text(connection, "client_id"), extra_text(connection, "client_secret")
        if client is None or secret is None:
            raise wrong_extra(connection, "tenant_id", "needs client_id and client_secret beside it")
        return {
            "tenant_id": tenant,
            "client_id": client,
            "client_secret": secret,
            "credential_type": "client_secret",
        }
    if connection.password:
        try:
            base64.b64decode(connection.password, validate=True)
        except ValueError:
            raise UsageError(f"connection {connection.conn_id}: password is not an account key (base64)") from None
        return {"account_key": connection.password, "credential_type": "access_key"}
    return {}
