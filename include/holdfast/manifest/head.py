"""The few fields of a manifest that listing needs, read several times faster than the whole."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import NotRequired, TypedDict

from pydantic import TypeAdapter


@dataclass(frozen=True, slots=True)
class Head:
    """Whose manifest it is, of which database, and its figures."""

    id: str
    app: str
    environment: str
    label: str | None
    artifact_sizes: dict[str, int]
    system_identifier: str
    database: str
    tables: int
    rows: int
    media_snapshot: str | None = None

    @property
    def stored_bytes(self) -> int:
        """Stored bytes of all artifacts together."""
        return sum(self.artifact_sizes.values())


class _Artifact(TypedDict):
    name: str
    bytes: int


class _Table(TypedDict):
    rows: int


class _Source(TypedDict):
    system_identifier: str
    database: str
    tables: list[_Table]


class _Database(TypedDict):
    source: _Source


class _Media(TypedDict):
    snapshot: str


class _Fields(TypedDict):
    id: str
    app: str
    environment: str
    label: str | None
    artifacts: list[_Artifact]
    database: _Database
    media: NotRequired[_Media | None]


@cache
def _fields() -> TypeAdapter[_Fields]:
    """Made when it is first needed: most commands list nothing."""
    return TypeAdapter(_Fields)


def read_head(document: bytes) -> Head:
    """The head of a manifest; raises pydantic's ValidationError where it is malformed."""
    fields = _fields().validate_json(document)
    source = fields["database"]["source"]
    tables = source["tables"]
    media = fields.get("media")
    return Head(
        id=fields["id"],
        app=fields["app"],
        environment=fields["environment"],
        label=fields["label"],
        artifact_sizes={artifact["name"]: artifact["bytes"] for artifact in fields["artifacts"]},
        system_identifier=source["system_identifier"],
        database=source["database"],
        tables=len(tables),
        rows=sum(table["rows"] for table in tables),
        media_snapshot=media["snapshot"] if media else None,
    )
