"""Connections from ``AIRFLOW_CONN_<ID>`` variables, in Airflow's URI and JSON forms, without Airflow."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from holdfast.errors import UsageError
from holdfast.values.connection import Connection, port_number
from holdfast.values.credentials import learn_secrets

_SCHEMES = {"postgresql": "postgres", "postgres+psycopg": "postgres"}


@dataclass(frozen=True, slots=True)
class EnvironmentConnections:
    """Looks connections up in environment variables, as the CLI does."""

    variables: Mapping[str, str]

    def get(self, conn_id: str) -> Connection:
        """The connection in ``AIRFLOW_CONN_<CONN_ID>``; raises UsageError where it is missing or malformed."""
        name = f"AIRFLOW_CONN_{conn_id.upper()}"
        value = self.variables.get(name)
        if not value:
            raise UsageError(
                f"connection {conn_id}: the environment variable {name} is not set",
                hint=f"Export {name} as JSON or as a URI, such as postgresql://user:password@host:5432/database or "
                "aws://key:secret@/?endpoint_url=…&region_name=…",
            )
        found = parse_connection(conn_id, value)
        learn_secrets(found)
        return found


def parse_connection(conn_id: str, text: str) -> Connection:
    """Read one connection; raises UsageError without ever repeating the text, which holds a password."""
    stripped = text.strip()
    try:
        return _from_json(conn_id, stripped) if stripped.startswith("{") else _from_uri(conn_id, stripped)
    except (ValueError, TypeError, AttributeError, KeyError):
        # The cause is cut off: its message may quote the secret.
        raise UsageError(
            f"connection {conn_id}: neither a connection URI nor connection JSON",
            hint="Percent-encode special characters in user name and password, or use the JSON form.",
        ) from None


def _port(conn_id: str, url: SplitResult) -> int | None:
    try:
        port = url.port
    except ValueError:
        port = 0
    if port == 0:
        if "@" in url.query:
            raise ValueError("a raw '?' in the password")
        raise _wrong_port(conn_id)
    return port


def _wrong_port(conn_id: str) -> UsageError:
    """Without the text that stands there: where something is not percent-encoded, it may be half a password."""
    return UsageError(
        f"connection {conn_id}: port is not a number from 1 to 65535",
        hint="Correct it; special characters in user name and password must be percent-encoded.",
    )


def _from_json(conn_id: str, text: str) -> Connection:
    data: dict[str, Any] = json.loads(text)
    known = {"conn_type", "host", "login", "password", "schema", "port", "extra", "description", "uri"}
    if not isinstance(data, dict) or set(data) - known:
        raise ValueError("unknown field")
    extra = data.get("extra") or {}
    if isinstance(extra, str):
        extra = json.loads(extra)
    port = data.get("port") or None
    if port is not None and port_number(port) is None:
        raise _wrong_port(conn_id)
    kind = str(data["conn_type"])
    return Connection(
        conn_id,
        _SCHEMES.get(kind, kind),
        host=data.get("host") or None,
        port=None if port is None else port_number(port),
        login=data.get("login") or None,
        password=data.get("password") or None,
        schema=data.get("schema") or None,
        extra=dict(extra),
    )


def _from_uri(conn_id: str, text: str) -> Connection:
    scheme, colon, _ = text.partition("://")
    if not colon or not scheme:
        raise ValueError("no scheme")
    url = urlsplit(text)
    if url.fragment or "@" in url.path:
        # A raw '#' or '/' in the password cuts the rest of the URI off, silently.
        raise ValueError("special characters are not percent-encoded")
    query = dict(parse_qsl(url.query, keep_blank_values=True))
    extra: dict[str, object] = json.loads(query["__extra__"]) if "__extra__" in query else dict(query)
    host = url.netloc.rpartition("@")[2]
    port = _port(conn_id, url) if not host.endswith(":") else None
    if port is not None:
        host = host.rpartition(":")[0]
    return Connection(
        conn_id,
        _SCHEMES.get(scheme.lower(), scheme.lower()).replace("-", "_"),
        host=unquote(host.rstrip(":")) or None,
        port=port,
        login=unquote(url.username) if url.username else None,
        password=unquote(url.password) if url.password else None,
        schema=unquote(url.path[1:]) or None,
        extra=extra,
    )
