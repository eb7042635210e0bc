"""Clients for Google Cloud Storage, from an Airflow connection of type google_cloud_platform or Google's defaults."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from obstore.store import GCSStore

from holdfast.storage.backend import client_options, retry_options
from holdfast.storage.connections import extra_object, extra_text, require_type, wrong_extra
from holdfast.values.connection import Connection

if TYPE_CHECKING:
    from obstore.store import GCSConfig

_NEEDED = ("client_email", "private_key", "private_key_id")


def google_clients(bucket: str, prefix: str | None, connection: Connection | None) -> Callable[[int], GCSStore]:
    """Makes clients of which each request may take so many seconds.

    The extra holds keyfile_dict (a service account's key) or key_path (its file); with neither, Google's
    application default credentials are used. Raises UsageError that names the wrong field.
    """
    config = _config(connection)

    def make(timeout_s: int) -> GCSStore:
        return GCSStore(
            bucket,
            prefix=prefix,
            config=config,
            client_options=client_options(timeout_s, allow_http=False),
            retry_config=retry_options(),
        )

    return make


def _config(connection: Connection | None) -> GCSConfig:
    if connection is None:
        return {}
    require_type(connection, "google_cloud_platform")
    key = extra_object(connection, "keyfile_dict")
    path = extra_text(connection, "key_path")
    if key is not None:
        lacking = [name for name in _NEEDED if not key.get(name)]
        if lacking:
            raise wrong_extra(connection, "keyfile_dict", f"lacks {', '.join(lacking)}")
        return {"service_account_key": json.dumps(dict(key))}
    if path is None:
        return {}
    if not Path(path).is_file():
        raise wrong_extra(connection, "key_path", f"names no file: {path}")
    return {"service_account": path}
