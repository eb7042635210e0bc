"""What of a connection is secret: its password, and what its extra and its URLs hold."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl, unquote, urlsplit

from holdfast.redaction import KNOWN
from holdfast.values.connection import Connection

_SECRET_NAME = re.compile(
    r"passw|passphrase|secret|token|credential|connection_string|authorization|dsn$|^sas|cookie"
    r"|(?:api|private|access|account|shared|signing|encryption|service)[_-]?key",
    re.IGNORECASE,
)
_NO_SECRET_NAME = re.compile(r"(?:_id|_path|_file|_name|_type|_ur[il]|_expiration|_profile)$", re.IGNORECASE)
# What such a URL names is a host; elsewhere (slack://TOKEN/TOKEN, tgram://TOKEN/CHAT) it may be the secret itself.
_HOSTED = ("http", "https", "json", "jsons", "xml", "xmls", "form", "forms", "mailto", "mailtos", "apprise", "apprises")
_STORED = ("postgres", "postgresql", "aws", "s3", "google_cloud_platform", "wasb", "")
_LONG = 12
_LONG_NAME = 8


def learn_secrets(connection: Connection) -> None:
    """Let the redactor know of the connection's secrets; names that messages need stay readable."""
    names = (connection.login, connection.host, connection.schema, connection.conn_id, connection.conn_type)
    KNOWN.learn(f"connection {connection.conn_id}", secrets_of(connection), names=filter(None, names))


def secrets_of(connection: Connection) -> tuple[str, ...]:
    """Every text of the connection that nobody may be shown."""
    found = set(_of_extra(connection.extra))
    if connection.password:
        found.add(connection.password)
        for pair in (f"{connection.login or ''}:{connection.password}", connection.password):
            # As HTTP's basic authentication sends it.
            found.add(base64.b64encode(pair.encode("utf-8", "surrogatepass")).decode().rstrip("="))
    if connection.host and "://" in connection.host:
        found |= set(_of_url(connection.host))
    if connection.conn_type not in _STORED:
        found |= {part for part in (connection.schema or "").split("/") if len(part) >= _LONG}
    return tuple(sorted(found, key=len, reverse=True))


def _of_extra(value: object, name: str = "") -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _of_extra(item, str(key))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _of_extra(item, name)
    elif isinstance(value, str):
        if value.lstrip().startswith(("{", "[")) and (inner := _parsed(value)) is not None:
            yield from _of_extra(inner, name)
        elif _SECRET_NAME.search(name) and not _NO_SECRET_NAME.search(name):
            yield value
        if "://" in value:
            yield from _of_url(value)


def _parsed(text: str) -> object:
    try:
        parsed: object = json.loads(text)
    except ValueError:
        return None
    return parsed


def _of_url(url: str) -> Iterator[str]:
    """The URL's password, and long parts of it that can be tokens; the whole URL where it has any of them."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        yield url
        return
    candidates = [*parts.path.split("/"), parts.fragment]
    found = {part for part in candidates if len(part) >= _LONG}
    found |= {value for _, value in parse_qsl(parts.query) if len(value) >= _LONG}
    login, _, host = parts.netloc.rpartition("@")
    user, _, password = login.partition(":")
    if password:
        found.add(password)
    if parts.scheme.lower() not in _HOSTED + _STORED:
        found |= {part for part in (user, host, *candidates) if len(part) >= _LONG_NAME}
    if found:
        yield url.strip()
    for part in found:
        yield part
        yield unquote(part)
