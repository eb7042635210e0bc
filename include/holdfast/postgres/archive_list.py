"""The table of contents of an archive, as pg_restore --list tells it, and how it compares with the snapshot."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from holdfast.errors import IntegrityError
from holdfast.manifest.model import Table
from holdfast.postgres.binaries import Client
from holdfast.process.child import Command, Finished, base_environment, run

# Longest first where one is the beginning of another (source: pg_dump's descriptions of archive entries).
_KINDS = (
    "ACCESS METHOD", "AGGREGATE", "BLOB COMMENTS", "BLOB METADATA", "BLOBS", "BLOB", "CAST", "CHECK CONSTRAINT",
    "COLLATION", "COMMENT", "CONSTRAINT", "CONVERSION", "DATABASE PROPERTIES", "DATABASE", "DEFAULT ACL", "DEFAULT",
    "DOMAIN", "ENCODING", "EVENT TRIGGER", "EXTENSION", "FK CONSTRAINT", "FOREIGN DATA WRAPPER",
    "FOREIGN SERVER", "FOREIGN TABLE", "FUNCTION", "INDEX ATTACH", "INDEX", "LARGE OBJECT",
    "MATERIALIZED VIEW DATA", "MATERIALIZED VIEW", "OPERATOR CLASS", "OPERATOR FAMILY", "OPERATOR", "POLICY",
    "PROCEDURAL LANGUAGE", "PROCEDURE", "PUBLICATION TABLES IN SCHEMA", "PUBLICATION TABLE", "PUBLICATION",
    "ROW SECURITY", "RULE", "SCHEMA", "SEARCHPATH", "SECURITY LABEL", "SEQUENCE OWNED BY", "SEQUENCE SET",
    "SEQUENCE", "SERVER", "SHELL TYPE", "STATISTICS DATA", "STATISTICS", "STDSTRINGS", "SUBSCRIPTION TABLE",
    "SUBSCRIPTION", "TABLE ATTACH", "TABLE DATA", "TABLE", "TEXT SEARCH CONFIGURATION", "TEXT SEARCH DICTIONARY",
    "TEXT SEARCH PARSER", "TEXT SEARCH TEMPLATE", "TRANSFORM", "TRIGGER", "TYPE", "USER MAPPING", "VIEW", "ACL",
)  # fmt: skip

_ENTRY = re.compile(rf"(\d+); (\d+) (\d+) ({'|'.join(_KINDS)}) (.*)")
_DEPENDENCIES = re.compile(r";\s+depends on:((?: \d+)+)")
_HEADER = re.compile(r";\s+(Dump Version|Dumped from database version|Dumped by pg_dump version): (\S+)")


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of an archive. ``rest`` is schema, tag and owner as printed: names may hold spaces."""

    dump_id: int
    catalog_oid: int
    oid: int
    kind: str
    rest: str
    depends_on: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind} {self.rest}"

    def names(self, schema_name: str, name: str) -> bool:
        """Is it about that object? Line breaks in names are printed as spaces.

        Names in an encoding other than UTF-8 cannot be compared and are taken for right: the oid tells.
        """
        if any("\udc80" <= letter <= "\udcff" for letter in self.rest):
            return True
        return self.rest.startswith(f"{_printed(schema_name)} {_printed(name)} ")


@dataclass(frozen=True, slots=True)
class Listing:
    """All entries in the order of the archive, and what its header says."""

    entries: tuple[Entry, ...]
    format_version: str
    dumped_from: str
    dumped_by: str

    @property
    def tables(self) -> tuple[Entry, ...]:
        """Entries that hold rows of a table."""
        return self.of_kind("TABLE DATA")

    def of_kind(self, *kinds: str) -> tuple[Entry, ...]:
        """Entries of those kinds."""
        return tuple(entry for entry in self.entries if entry.kind in kinds)


def list_archive(client: Client, pieces: Iterable[bytes]) -> Listing:
    """List the archive whose bytes are ``pieces``, and consume them to their end, whatever pg_restore does.

    What ``pieces`` raises passes through. Raises IntegrityError when this is no archive that the client reads.
    """
    return _listing(run(_command(client, ()), stdin=pieces, drain=True))


def list_file(client: Client, archive: int) -> Listing:
    """List the archive in an open file."""
    return _listing(run(_command(client, (f"/proc/self/fd/{archive}",), archive)))


def differences(listing: Listing, tables: Sequence[Table], *, encoding: str = "UTF8") -> tuple[str, ...]:
    """One line per table of the snapshot that is not in the archive, and the other way round.

    Names are listed in the database's ``encoding``: other than in UTF8 only the oids are compared.
    """
    listed = {entry.oid: entry for entry in listing.tables}
    wanted = {table.oid: table for table in tables}
    missing = [table for oid, table in wanted.items() if oid not in listed]
    surplus = [entry for oid, entry in listed.items() if oid not in wanted]
    renamed = [
        (wanted[oid], entry)
        for oid, entry in listed.items()
        if encoding == "UTF8" and oid in wanted and not entry.names(wanted[oid].schema_name, wanted[oid].name)
    ]
    return tuple(
        [f"table {table.schema_name}.{table.name} is missing in the dump" for table in missing]
        + [f"table {entry.rest} is in the dump but not in the snapshot" for entry in surplus]
        + [f"table {t.schema_name}.{t.name} is called otherwise in the dump: {entry.rest}" for t, entry in renamed]
    )


def parse(text: str) -> Listing:
    """Read what ``pg_restore --list --verbose`` printed; raises IntegrityError for a line that is none of it."""
    header: dict[str, str] = {}
    entries: list[Entry] = []
    for line in text.split("\n"):
        if entry := _ENTRY.fullmatch(line):
            entries.append(_entry(entry))
        elif depends := _DEPENDENCIES.fullmatch(line):
            entries[-1] = replace(entries[-1], depends_on=tuple(int(each) for each in depends[1].split()))
        elif found := _HEADER.match(line):
            header[found[1]] = found[2]
        elif line and not line.startswith(";"):
            raise IntegrityError(f"archive listing: a line of unknown form: {line[:200]}")
    return Listing(tuple(entries), *_described(header))


def _entry(found: re.Match[str]) -> Entry:
    """A table in a schema called DATA is listed as "TABLE DATA", but unlike rows it has a catalog's oid."""
    dump_id, catalog_oid, oid = int(found[1]), int(found[2]), int(found[3])
    kind, rest = found[4], found[5]
    base, _, suffix = kind.rpartition(" ")
    if catalog_oid and base in _KINDS and suffix in ("DATA", "SET", "ATTACH"):
        kind, rest = base, f"{suffix} {rest}"
    return Entry(dump_id, catalog_oid, oid, kind, rest)


def _described(header: dict[str, str]) -> Iterator[str]:
    for name in ("Dump Version", "Dumped from database version", "Dumped by pg_dump version"):
        if name not in header:
            raise IntegrityError(f"archive listing: has no line {name!r}")
        # "1.16-0" is format 1.16, revision 0.
        yield header[name].removesuffix("-0") if name == "Dump Version" else header[name]


def _command(client: Client, archive: tuple[str, ...], *descriptors: int) -> Command:
    argv = (client.tool("pg_restore"), "--list", "--verbose", *archive)
    return Command(argv, base_environment(), pass_fds=descriptors)


def _listing(finished: Finished) -> Listing:
    if finished.status:
        said = " / ".join(finished.stderr.split("\n")).strip(" /")[:500]
        raise IntegrityError(f"archive: pg_restore cannot list it: {said or 'it said nothing'}")
    return parse(finished.stdout.decode(errors="surrogateescape"))


def _printed(name: str) -> str:
    return name.replace("\n", " ").replace("\r", " ")
