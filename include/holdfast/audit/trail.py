"""The store's side of the audit trail: where each record lies, and how it is read and written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from pydantic import ValidationError

from holdfast.audit.records import AuditRecord, digest
from holdfast.environment import Environment
from holdfast.errors import HoldfastError, ObjectExists

FIRST_MONTH = "0000-00"
"""The folder of the first record. Every other lies in the month of the one before it: whoever knows that one knows
where the next must lie, so that two who write at once meet at one key, also around midnight."""

_MONTH = re.compile(r"[0-9]{4}-[0-9]{2}")
_RECORD = re.compile(r"([0-9]{10})\.json")
_SIGNATURE = re.compile(r"([0-9]{10})\.([0-9a-f]{16})\.sig")


Stored = tuple[str, int, bytes]
"""A record as it stands: the month in whose folder it lies, its number and its bytes."""


@dataclass(frozen=True, slots=True)
class Link:
    """A record that stands: its number, the hash of its bytes, and the month in which the next one lies."""

    number: int
    sha256: str
    next_month: str


@dataclass(frozen=True, slots=True)
class Listed:
    """The names in one month's folder: numbers of records, signatures as (number, beginning of the hash), others."""

    month: str
    records: tuple[int, ...]
    signatures: frozenset[tuple[int, str]]
    strangers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trail:
    """The records of one environment, as they lie in its store."""

    environment: Environment

    def months(self) -> list[str]:
        """The folders that stand, the oldest first, also such as nobody of us made."""
        return self.environment.store.folders(self.environment.keys.audit)

    def listed(self, month: str, *, since: int = 0) -> Listed:
        """What lies in a folder, from the record of number ``since`` on."""
        prefix = f"{self.environment.keys.audit}{month}/"
        records: list[int] = []
        signatures: set[tuple[int, str]] = set()
        strangers: list[str] = []
        for stored in self.environment.store.list(prefix, after=f"{prefix}{since:010}" if since else ""):
            name = stored.key[len(prefix) :]
            if record := _RECORD.fullmatch(name):
                records.append(int(record[1]))
            elif signature := _SIGNATURE.fullmatch(name):
                signatures.add((int(signature[1]), signature[2]))
            else:
                strangers.append(stored.key)
        return Listed(month, tuple(sorted(records)), frozenset(signatures), tuple(strangers))

    def newest_first(self) -> Iterator[tuple[str, int]]:
        """(month, number) of every record, from the newest on."""
        for month in reversed(self.months()):
            if is_month(month):
                for number in reversed(self.listed(month).records):
                    yield month, number

    def documents(self) -> Iterator[Stored]:
        """Every record, from the newest on, read as it is asked for."""
        for month, number in self.newest_first():
            yield month, number, self.document(month, number)

    def key(self, month: str, number: int) -> str:
        """Where a record lies."""
        return self.environment.keys.audit_record(month, f"{number:010}.json")

    def signature_key(self, month: str, number: int, sha256: str) -> str:
        """Where the signature of a record lies: named after what it signs, so that rivals write each their own."""
        return self.environment.keys.audit_record(month, f"{number:010}.{sha256[:16]}.sig")

    def document(self, month: str, number: int) -> bytes:
        """A record's bytes; raises ObjectMissing."""
        return self.environment.store.get(self.key(month, number))

    def write(self, month: str, number: int, document: bytes, signature: bytes | None) -> bool:
        """Store a record, its signature first; False where another took the number. A kill between converges."""
        store = self.environment.store
        signature_key = self.signature_key(month, number, digest(document))
        if signature is not None:
            try:
                store.put(signature_key, [signature])
            except ObjectExists:
                if store.get(signature_key) != signature:
                    store.delete(signature_key)
                    store.put(signature_key, [signature])
        try:
            store.put(self.key(month, number), [document])
        except ObjectExists:
            if self.document(month, number) == document:  # the answer to the first try was lost
                return True
            if signature is not None:
                with suppress(HoldfastError):
                    store.delete(signature_key)
            return False
        return True


def parsed(document: bytes) -> AuditRecord | None:
    """The record in the bytes, None where they are none."""
    try:
        return AuditRecord.model_validate_json(document)
    except ValidationError:
        return None


def link(month: str, number: int, document: bytes) -> Link:
    """What the next record must know of this one."""
    record = parsed(document)
    # Never back: a clock that was set back must not hide the end of the chain.
    following = month if record is None else max(month, f"{record.at.year:04}-{record.at.month:02}")
    return Link(number, digest(document), following)


def is_month(folder: str) -> bool:
    """Can the folder hold records?"""
    return _MONTH.fullmatch(folder) is not None
