"""Opens the store that a policy names by its URL."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, unquote, urlsplit

from holdfast.errors import UsageError
from holdfast.storage.local import LocalStore
from holdfast.storage.names import is_key
from holdfast.storage.protocol import Store
from holdfast.values.connection import Connection

if TYPE_CHECKING:
    from obstore.store import ObjectStore as Client

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,221}")
_BUCKETS = ("s3", "gs", "az", "abfs")
_HINT = "Write file:///directory, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix."


def open_store(url: str, connection: Connection | None = None) -> Store:
    """The store at ``url``: file, s3, gs, or az (also abfs) with the credentials of ``connection``.

    Nothing is read or written yet. Raises UsageError that names the wrong part of url or connection.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        raise _wrong("cannot be read as a URL") from None
    # No key and no bucket holds an @, so what comes before one must be a login, even one cut short by a slash.
    if "@" in (parts.netloc if parts.scheme == "file" else url):
        raise _wrong("holds credentials, which belong into the store's connection")
    if parts.query or parts.fragment:
        raise _wrong("has a ? or #, which cannot stand there")
    if parts.scheme == "file":
        return LocalStore(_directory(url, parts))
    if parts.scheme in _BUCKETS:
        return _open_bucket(url, parts, connection)
    raise _wrong(f"{url!r} begins with no scheme that is known")


def _directory(url: str, parts: SplitResult) -> Path:
    path = Path(unquote(parts.path))
    if parts.netloc not in ("", "localhost") or not path.is_absolute():
        raise _wrong(f"{url!r} is relative: a directory needs three slashes, file:///directory")
    if ".." in path.parts or "\0" in str(path):
        raise _wrong(f"{url!r} has a part that cannot stand in a store's directory")
    return path


def _open_bucket(url: str, parts: SplitResult, connection: Connection | None) -> Store:
    # Imported late: a store in a directory needs no object storage library.
    import obstore

    from holdfast.storage.backend import LONG_S, SHORT_S, Backend
    from holdfast.storage.objects import ObjectStore

    prefix = parts.path.strip("/")
    if not _BUCKET.fullmatch(parts.netloc):
        raise _wrong(f"{url!r} has no bucket name after {parts.scheme}://")
    if prefix and not is_key(prefix):
        raise _wrong(f"{url!r} has a prefix that not every store can hold")
    make = _clients(parts.scheme)(parts.netloc, prefix or None, connection)
    shown = f"{parts.scheme}://{parts.netloc}" + (f"/{prefix}" if prefix else "")
    try:
        return ObjectStore(Backend(shown, make(SHORT_S), make(LONG_S)))
    except (obstore.exceptions.BaseError, OSError, ValueError) as error:
        # The text may hold what it complains of, such as half a key.
        name = connection.conn_id if connection else "(none)"
        raise UsageError(
            f"store {shown}: connection {name} makes no usable client ({type(error).__name__})",
            hint="Check every field of that connection, and variables such as AWS_… and GOOGLE_… on this machine.",
        ) from None


def _clients(scheme: str) -> Callable[[str, str | None, Connection | None], Callable[[int], Client]]:
    if scheme == "s3":
        from holdfast.storage.s3 import s3_clients

        return s3_clients
    if scheme == "gs":
        from holdfast.storage.google import google_clients

        return google_clients
    from holdfast.storage.azure import azure_clients

    return azure_clients


def _wrong(reason: str) -> UsageError:
    return UsageError(f"store url: {reason}", hint=_HINT)
