"""The store's side of approvals: signed requests and answers, numbered per gate, never changed."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Literal

from pydantic import ValidationError

from holdfast.approval.records import About, Answer, Asked, Request
from holdfast.catalog import read_signed, write_signed
from holdfast.catalog.malformed import malformed
from holdfast.environment import Environment
from holdfast.errors import IntegrityError, ObjectMissing, UsageError
from holdfast.values.ids import RestorePointId
from holdfast.values.keys import NAME

_OBJECT = re.compile(rf"({NAME.pattern})\.([0-9]{{4,9}})\.(request|answer)\.(json|sig)")
Kind = Literal["request", "answer"]


@dataclass(frozen=True, slots=True)
class Ledger:
    """All that was asked and answered about one subject."""

    environment: Environment
    subject: RestorePointId

    def title(self, gate: str) -> str:
        """For messages."""
        return f"gate {gate} of {self.environment.title}/{self.subject}"

    def names(self) -> list[tuple[str, int, str]]:
        """(gate, number, rest of the name) of every object that stands; a newer one beats older ones by its name."""
        prefix = self.environment.keys.approvals_of(self.subject)
        listed = self.environment.store.list(prefix)
        found = (_OBJECT.fullmatch(stored.key[len(prefix) :]) for stored in listed)
        return [(match[1], int(match[2]), f"{match[3]}.{match[4]}") for match in found if match]

    def newest(self, gate: str) -> Asked | None:
        """The latest request of the gate and its answer; None where it never asked.

        Raises SignatureError or IntegrityError where what stands under the highest number is not ours.
        """
        numbers = [number for name, number, _ in self.names() if name == gate]
        return self.read(gate, max(numbers)) if numbers else None

    def newest_of_others(self, gate: str) -> list[Asked]:
        """The latest request of every other gate that asked about the subject."""
        others = sorted({name for name, _, _ in self.names()} - {gate})
        return [asked for asked in map(self.newest, others) if asked is not None]

    def next_number(self, gate: str) -> int:
        """What the gate's next request is called; one that was killed before its request stood leaves no gap."""
        stand = [number for name, number, rest in self.names() if name == gate and rest == "request.json"]
        return max(stand, default=0) + 1

    def read(self, gate: str, number: int) -> Asked:
        """One request and its answer, their signatures checked."""
        found = self._read("request", gate, number)
        if found is None:
            raise IntegrityError(
                f"{self._key('request', gate, number, 'json')}: is missing, though other objects of it stand",
                hint="Clear the gate's task, so that it asks again.",
            )
        answer = self._read("answer", gate, number)
        request, digest = _parsed(Request, found, self), hashlib.sha256(found.document).hexdigest()
        return Asked(request, digest, _parsed(Answer, answer, self) if answer is not None else None)

    def write(self, record: Request | Answer) -> None:
        """Store a record create-only; the same bytes once more are no error."""
        kind: Kind = "request" if isinstance(record, Request) else "answer"
        write_signed(
            self.environment.store,
            self._key(kind, record.gate, record.number, "json"),
            self._key(kind, record.gate, record.number, "sig"),
            record.encode(),
            self.environment.signer(),
        )

    def _read(self, kind: Kind, gate: str, number: int) -> _Found | None:
        key = self._key(kind, gate, number, "json")
        signature_key = self._key(kind, gate, number, "sig")
        try:
            document = read_signed(self.environment.store, key, signature_key, self.environment.verifier())
        except ObjectMissing:
            return None
        return _Found(key, gate, number, document)

    def _key(self, kind: Kind, gate: str, number: int, ending: Literal["json", "sig"]) -> str:
        return self.environment.keys.approval(self.subject, f"{demand_gate(gate)}.{number:04}.{kind}.{ending}")


@dataclass(frozen=True, slots=True)
class _Found:
    """A document whose signature fits, and whose record it should be."""

    key: str
    gate: str
    number: int
    document: bytes


def _parsed[R: About](kind: type[R], found: _Found, ledger: Ledger) -> R:
    """The record, which must speak of what its key says: a signed one may have been copied there."""
    try:
        record = kind.model_validate_json(found.document)
    except ValidationError as error:
        raise malformed(found.key, error) from error
    keys = ledger.environment.keys
    place = (keys.app, keys.environment, str(ledger.subject), found.gate, found.number)
    if (record.app, record.environment, record.subject, record.gate, record.number) != place:
        raise IntegrityError(
            f"{found.key}: it is number {record.number} of {record.title}",
            hint="Someone copied it there: it says nothing of this.",
        )
    return record


def demand_gate(gate: str) -> str:
    """The gate's name; raises UsageError where it cannot stand in a key."""
    if not NAME.fullmatch(gate):
        raise UsageError(f"gate {gate!r}: only a-z, 0-9, - and _ may stand in a gate's name")
    return gate
