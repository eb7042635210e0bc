"""Checks records one after the other: each must be genuine, ours, at its place, and follow the one before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from holdfast.audit.records import AuditRecord, digest
from holdfast.audit.trail import FIRST_MONTH, Link, Trail, link, parsed
from holdfast.crypto.signing import Verifier
from holdfast.errors import ObjectMissing, SignatureError

Kind = Literal["removed", "altered", "foreign", "forked", "stranger"]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with the trail; ``number``: of which record, None where it is about no record."""

    kind: Kind
    number: int | None
    text: str

    def as_json(self) -> dict[str, object]:
        """The problem as an object of plain values."""
        return {"kind": self.kind, "number": self.number, "text": self.text}


@dataclass(slots=True)
class Checker:
    """Goes along a trail. ``before``: the record that was checked last, None before the first."""

    trail: Trail
    verifier: Verifier
    before: Link | None = None
    unsigned: int = 0
    unsealed: int = 0
    checked: int = 0
    problems: list[Problem] = field(default_factory=list)

    def check(self, month: str, number: int, document: bytes | None, signature: bytes | None) -> None:
        """Check the record that comes next; ``document`` is None where it has gone since it was listed."""
        key = self.trail.key(month, number)
        self._gap(number)
        if document is None:
            self._found("removed", number, f"{key}: it has gone since it was listed")
            return
        self.checked += 1
        record = parsed(document)
        if record is None:
            self._found("altered", number, f"{key}: is no audit record")
        else:
            for problem in self._faults(key, month, number, record):
                self.problems.append(problem)
            self._signature(key, number, record, document, signature)
        self.before = link(month, number, document)

    def _gap(self, number: int) -> None:
        first = 1 if self.before is None else self.before.number + 1
        if number > first:
            gone = f"record {first}" if number == first + 1 else f"records {first} to {number - 1}"
            are = "is" if number == first + 1 else "are"
            self._found("removed", first, f"{self.trail.environment.keys.audit}: {gone} {are} missing")
        elif number < first:
            self._found("forked", number, f"{self.trail.environment.keys.audit}: two records have number {number}")

    def _faults(self, key: str, month: str, number: int, record: AuditRecord) -> Iterator[Problem]:
        place = self.trail.environment
        ours = (place.app, place.name, number)
        if (record.app, record.environment, record.number) != ours:
            title = f"number {record.number} of {record.app}/{record.environment}"
            yield Problem("foreign", number, f"{key}: it is {title}: somebody copied it there")
        before = self.before
        if before is None and number == 1:
            before = Link(0, "", FIRST_MONTH)
        if before is None or before.number != number - 1:
            return
        if record.previous != before.sha256:
            yield Problem(
                "altered",
                number,
                f"{key}: does not follow record {number - 1} as it stands: one of the two was altered",
            )
        elif month != before.next_month:
            yield Problem("foreign", number, f"{key}: it belongs into {before.next_month}")

    def _signature(self, key: str, number: int, record: AuditRecord, document: bytes, signature: bytes | None) -> None:
        if record.signed_by is None:
            self.unsigned += 1
            self.unsealed += 1
            return
        self.unsealed = 0
        if signature is None:
            self._found(
                "altered", number, f"{key}: no signature is of these bytes: it was altered, or that was removed"
            )
            return
        try:
            self.verifier.verify(document, signature)
        except SignatureError as error:
            said = (
                f", it says that key {record.signed_by} signed it" if record.signed_by != self.verifier.key_id else ""
            )
            self._found("altered", number, f"{key}: {error.message}{said}")

    def _found(self, kind: Kind, number: int | None, text: str) -> None:
        self.problems.append(Problem(kind, number, text))


def read_with_signature(trail: Trail, month: str, number: int) -> tuple[bytes | None, bytes | None]:
    """A record's bytes and its signature, None where either is missing."""
    try:
        document = trail.document(month, number)
    except ObjectMissing:
        return None, None
    try:
        return document, trail.environment.store.get(trail.signature_key(month, number, digest(document)))
    except ObjectMissing:
        return document, None
