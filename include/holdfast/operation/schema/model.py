"""A schema as data: every object by kind and name, with the text that defines it, and the parts of tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, order=True)
class ObjectName:
    """An object as people call it: kind such as ``table`` or ``foreign key``, and its name as PostgreSQL prints it."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Schema:
    """All definitions of one database. They may quote secrets, such as a foreign server's password: never shown.

    ``parts`` are the columns and checks of each table by the table's name; ``extensions`` the version of each.
    """

    objects: Mapping[ObjectName, str] = field(repr=False)
    parts: Mapping[str, Mapping[ObjectName, str]] = field(repr=False)
    extensions: Mapping[str, str] = field(default_factory=dict)
