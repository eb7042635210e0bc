"""Takes the SQL that pg_dump writes apart: one object under each of its headers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from holdfast.operation.schema.model import ObjectName

_HEADER = re.compile(
    r"^--\n-- Name: (?P<tag>.*); Type: (?P<type>[A-Z][A-Z ]*); Schema: (?P<schema>.*); Owner: .*\n--$", re.MULTILINE
)
# What pg_dump says between objects: where the next ones lie, and the key that psql's \restrict draws by lot.
_BETWEEN = re.compile(r"(SET default_tablespace = .*;|SET default_table_access_method = .*;|\\(un)?restrict .*)")
# Read from the catalog beside their table, column by column; or nothing that an application's code is written against.
_LEFT_OUT = frozenset(
    {"DEFAULT", "CHECK CONSTRAINT", "COMMENT", "ACL", "DEFAULT ACL", "SECURITY LABEL", "STATISTICS DATA"}
)
_CALLED = {
    "FK CONSTRAINT": "foreign key",
    "TABLE ATTACH": "place as partition of",
    "INDEX ATTACH": "place as partition of index",
    "SEQUENCE OWNED BY": "owning column of sequence",
    "ROW SECURITY": "row security of",
}
_OF_TABLES = frozenset({"CONSTRAINT", "FK CONSTRAINT", "TRIGGER", "POLICY", "RULE"})
_TABLES = frozenset({"TABLE", "FOREIGN TABLE", "VIEW", "MATERIALIZED VIEW"})
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
# Their names come with arguments, or are operators: nothing to quote.
_NOT_QUOTED = frozenset({"FUNCTION", "PROCEDURE", "AGGREGATE", "OPERATOR", "CAST", "TRANSFORM"})


def read_objects(text: str) -> dict[ObjectName, str]:
    """Every object of a schema dump with its definition; what shares a name stands together.

    The whole text is in the values, so that a header in a function's body hides nothing.
    """
    headers = list(_HEADER.finditer(text))
    ends = [header.start() for header in headers[1:]] + [len(text)]
    tables = sorted({(each["schema"], each["tag"]) for each in headers if each["type"] in _TABLES}, key=_by_length)
    found: dict[ObjectName, str] = {}
    for header, end in zip(headers, ends, strict=True):
        if header["type"] in _LEFT_OUT:
            continue
        name = ObjectName(_CALLED.get(header["type"], header["type"].lower()), _name(header, tables))
        found[name] = found.get(name, "") + _definition(text[header.end() : end])
    return found


def qualified(schema: str, name: str) -> str:
    """A name as SQL writes it: ``public."User"``."""
    return f"{quoted(schema)}.{quoted(name)}"


def quoted(name: str) -> str:
    """A part of a name, in quotes where it needs some."""
    doubled = name.replace('"', '""')
    return name if _PLAIN.fullmatch(name) else f'"{doubled}"'


def _name(header: re.Match[str], tables: Iterable[tuple[str, str]]) -> str:
    tag, schema, kind = header["tag"], header["schema"], header["type"]
    if schema == "-":
        return quoted(tag)
    if kind in _OF_TABLES:
        for table_schema, table in tables:
            if schema == table_schema and tag.startswith(f"{table} "):
                return f"{quoted(tag[len(table) + 1 :])} on {qualified(schema, table)}"
    if kind in _NOT_QUOTED:
        return f"{quoted(schema)}.{tag}"
    return qualified(schema, tag)


def _by_length(table: tuple[str, str]) -> tuple[int, tuple[str, str]]:
    """The longest first: one table's name may begin with another's and a space."""
    return -len(table[1]), table


def _definition(text: str) -> str:
    return "\n".join(_kept(text)).strip() + "\n"


def _kept(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if not _BETWEEN.fullmatch(line) and line not in ("", "--", "-- PostgreSQL database dump complete"):
            yield line
