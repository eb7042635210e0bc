"""The addresses of a connection: read as Airflow's provider reads them, chosen by tag, named without secrets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

import apprise

from holdfast.alerting.hushing import hushed
from holdfast.errors import UsageError
from holdfast.values.connection import Connection

FORM = (
    'Give it the type apprise and the extra {"config": {"path": "URL", "tag": "ops"}}, or a list of such; '
    "docs/alerts.md has examples."
)


@dataclass(frozen=True, slots=True)
class Address:
    """One service that can be told. ``service`` is None where the URL is none that Apprise understands."""

    name: str
    service: apprise.NotifyBase | None


def addresses(connection: Connection, tag: str | None) -> tuple[Address, ...]:
    """Those of the connection that have the tag; all of them without one.

    Raises UsageError that never repeats the connection's content. What is no address stands among them whatever the
    tag, so that it is told and not passed over.
    """
    found: list[Address] = []
    with hushed():
        for number, (url, tags) in enumerate(_configured(connection), 1):
            box = apprise.Apprise(asset=_asset())
            is_whole = box.add(url, tag=tags)
            chosen = list(box.find(tag if tag is not None else "all"))
            found += [Address(_named(str(service.service_name), found), service) for service in chosen]
            if not is_whole:
                found.append(Address(f"entry {number}", None))
    return tuple(found)


def _asset() -> apprise.AppriseAsset:
    # A POST that is redirected becomes a GET without the message, and the page that answers it passes for a delivery.
    return apprise.AppriseAsset(app_id="Holdfast", app_desc="Holdfast", app_url="", http_redirects=False)


def _named(service: str, before: list[Address]) -> str:
    count = sum(address.name == service or address.name.startswith(f"{service} ") for address in before)
    return f"{service} {count + 1}" if count else service


def _configured(connection: Connection) -> list[tuple[str, list[str]]]:
    """(URL, tags) of each entry."""
    if "config" not in connection.extra:
        if connection.conn_type == "apprise":
            raise UsageError(f"connection {connection.conn_id}: its extra has no config", hint=FORM)
        return [(_plain(connection), [])]
    config = connection.extra["config"]
    if isinstance(config, str):
        config = _parsed(config)
    entries = config if isinstance(config, list) else [config]
    found = [_entry(entry) for entry in entries]
    if not found or not all(found):
        raise UsageError(
            f"connection {connection.conn_id}: its config is not of the form that Apprise wants", hint=FORM
        )
    return [entry for entry in found if entry is not None]


def _parsed(text: str) -> object:
    try:
        parsed: object = json.loads(text)
    except ValueError:
        # A bare URL, as somebody writes who has but one address.
        return {"path": text}
    return parsed


def _entry(entry: object) -> tuple[str, list[str]] | None:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("path"), str) or not entry["path"].strip():
        return None
    tags = entry.get("tag") or []
    if isinstance(tags, str):
        tags = tags.replace(",", " ").split()
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        return None
    return entry["path"].strip(), tags


def _plain(connection: Connection) -> str:
    """The URL that a connection of another type is, such as ``json://user:password@host:8080/path``."""
    login = quote(connection.login or "", safe="")
    if connection.password:
        login += f":{quote(connection.password, safe='')}"
    at = f"{login}@" if login else ""
    port = f":{connection.port}" if connection.port else ""
    path = f"/{quote(connection.schema)}" if connection.schema else ""
    query = urlencode({name: str(value) for name, value in connection.extra.items()})
    scheme = connection.conn_type.replace("_", "-")
    return f"{scheme}://{at}{connection.host or ''}{port}{path}{f'?{query}' if query else ''}"
