"""Asks a recovered cluster which databases it has, and which markers stand in it."""

from __future__ import annotations

import re
from datetime import datetime
from typing import LiteralString

from holdfast.drill.pitr.replaying import moment
from holdfast.postgres.conninfo import Target
from holdfast.postgres.session import connect, translated

_DATABASES = "SELECT datname FROM pg_catalog.pg_database WHERE datallowconn AND NOT datistemplate ORDER BY 1"
# Other environments of the same cluster may write theirs, under other roles.
_MARKERS = """
SELECT setting FROM pg_catalog.pg_db_role_setting, LATERAL pg_catalog.unnest(setconfig) AS setting
 WHERE setting LIKE 'holdfast.marker=%'
"""
_MARKER = re.compile(r"holdfast\.marker=([0-9]{1,18}) (\S+)")


def databases_of(target: Target) -> list[str]:
    """The cluster's databases that take connections, without templates."""
    return _texts(target, _DATABASES, "listing databases")


def markers_of(target: Target) -> list[tuple[int, datetime | None]]:
    """(number, when it was written) of each marker."""
    found = map(_MARKER.fullmatch, _texts(target, _MARKERS, "reading markers"))
    return [(int(each[1]), moment(each[2])) for each in found if each is not None]


def _texts(target: Target, query: LiteralString, doing: str) -> list[str]:
    # Every cluster has this database, which nobody can drop.
    maintenance = target.with_database("template1")
    with connect(maintenance) as session, translated(maintenance, doing):
        return [str(value) for (value,) in session.execute(query)]
