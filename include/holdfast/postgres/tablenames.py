"""Names of tables as people type them, and as an archive lists them: without quotes, between schema and owner."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from holdfast.errors import UsageError
from holdfast.postgres.archive_list import Entry, Listing

_PART = r'(?:"((?:[^"]|"")+)"|([^".]+))'
_NAME = re.compile(rf"(?:{_PART}\.)?{_PART}")


@dataclass(frozen=True, slots=True)
class TableName:
    """A table's name, exactly as in the catalog (line breaks apart, which a listing shows as spaces)."""

    schema_name: str
    name: str

    def __str__(self) -> str:
        return f"{_quoted(self.schema_name)}.{_quoted(self.name)}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A table as somebody named it; without a schema it may lie in any."""

    text: str
    schema_name: str | None
    name: str
    is_quoted: bool

    def as_listed(self) -> Wanted:
        """As a listing writes it, with a space for each line break."""
        breaks = str.maketrans("\r\n", "  ")
        return replace(
            self, schema_name=self.schema_name and self.schema_name.translate(breaks), name=self.name.translate(breaks)
        )

    def fits(self, table: TableName) -> bool:
        """Is it exactly this table?"""
        return self.name == table.name and self.schema_name in (None, table.schema_name)

    def fits_loosely(self, table: TableName) -> bool:
        """The same whatever the case, as SQL reads names without quotes; never for a quoted one."""
        schema = self.schema_name.casefold() if self.schema_name else None
        return (
            not self.is_quoted
            and self.name.casefold() == table.name.casefold()
            and schema in (None, table.schema_name.casefold())
        )


def parse_name(text: str) -> Wanted:
    """Read ``name``, ``"Name"``, ``schema.name``, ``schema."Name"``; raises UsageError for anything else."""
    found = _NAME.fullmatch(text)
    if found is None:
        raise UsageError(
            f"table {text!r}: not a table name", hint="Write mixed case and dots as in SQL: 'public.\"User\"'."
        )
    parts = [quoted.replace('""', '"') if quoted else bare for quoted, bare in (found.group(1, 2), found.group(3, 4))]
    return Wanted(text, parts[0], parts[1] or "", found[3] is not None)


def table_names(listing: Listing, roles: Iterable[str]) -> dict[int, TableName]:
    """Schema and name of every table in the listing, by dump id.

    A listing puts schema, name and owner side by side, and each may hold spaces: ``roles`` are the names
    that owners can have, and the listing itself tells the schemas. What neither knows is one word.
    """
    known = tuple(sorted(roles, key=len, reverse=True))
    schemas = {"public"} | {_without_owner(entry, known).removeprefix("- ") for entry in listing.of_kind("SCHEMA")}
    ordered = tuple(sorted(schemas, key=len, reverse=True))
    return {entry.dump_id: _split(_without_owner(entry, known), ordered) for entry in listing.of_kind("TABLE")}


def _without_owner(entry: Entry, roles: Iterable[str]) -> str:
    for role in roles:
        if entry.rest.endswith(f" {role}"):
            return entry.rest.removesuffix(f" {role}")
    return entry.rest.rpartition(" ")[0]


def _split(text: str, schemas: Iterable[str]) -> TableName:
    for schema in schemas:
        if text.startswith(f"{schema} "):
            return TableName(schema, text[len(schema) + 1 :])
    schema, _, name = text.partition(" ")
    return TableName(schema, name)


def _quoted(name: str) -> str:
    if re.fullmatch(r"[a-z_][a-z0-9_]*", name):
        return name
    doubled = name.replace('"', '""')
    return f'"{doubled}"'
