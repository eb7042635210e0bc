"""Reads single fields of a store's connection, and says which one is wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping

from holdfast.errors import UsageError
from holdfast.values.connection import Connection


def require_type(connection: Connection, *allowed: str) -> None:
    """Raises UsageError for a connection of another kind of server."""
    if connection.conn_type.replace("-", "_") not in allowed:
        raise UsageError(
            f"connection {connection.conn_id}: conn_type is {connection.conn_type}, the store needs {allowed[0]}",
            hint="Name the store's own connection in store.conn_id.",
        )


def extra_text(connection: Connection, name: str) -> str | None:
    """A text field of the extra; None where it is absent or empty."""
    value = connection.extra.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise wrong_extra(connection, name, "is not a text")
    return value


def extra_object(connection: Connection, name: str) -> Mapping[str, object] | None:
    """A JSON object in the extra, given as such or as its text."""
    value = connection.extra.get(name)
    if isinstance(value, str) and value:
        try:
            value = json.loads(value)
        except ValueError:
            raise wrong_extra(connection, name, "is not JSON") from None  # its text holds the secret
    if value is None or value == "":
        return None
    if not isinstance(value, Mapping):
        raise wrong_extra(connection, name, "is not a JSON object")
    return value


def wrong_extra(connection: Connection, name: str, reason: str) -> UsageError:
    """The error for a field of the extra."""
    return UsageError(f"connection {connection.conn_id}: extra.{name} {reason}")
