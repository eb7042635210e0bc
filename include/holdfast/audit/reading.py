"""Reads records of the audit trail, for people to look at."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from holdfast.audit.checking import read_with_signature
from holdfast.audit.records import AuditRecord
from holdfast.audit.trail import Trail, parsed
from holdfast.crypto.signing import Verifier
from holdfast.environment import Environment
from holdfast.errors import SignatureError

Signed = Literal["signed", "unsigned", "broken"]
_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Entry:
    """A record at its number; None where what stands there is none. Its place in the chain is not looked at."""

    number: int
    record: AuditRecord | None
    signed: Signed


def read_trail(environment: Environment, *, newest: int | None = None) -> Iterator[Entry]:
    """The records, oldest first, or only the ``newest`` so many; their signatures are checked, the chain is not.

    Raises UsageError where no key is at hand that checks signatures, and StoreError where the store cannot be read.
    """
    trail, verifier = Trail(environment), environment.verifier()
    places = list(islice(trail.newest_first(), newest))[::-1]
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        found = threads.map(lambda place: read_with_signature(trail, *place), places)
        for (_, number), (document, signature) in zip(places, found, strict=True):
            if document is not None:
                yield _entry(number, document, signature, verifier)


def _entry(number: int, document: bytes, signature: bytes | None, verifier: Verifier) -> Entry:
    record = parsed(document)
    if record is None:
        return Entry(number, None, "broken")
    if record.signed_by is None:
        return Entry(number, record, "unsigned")
    try:
        verifier.verify(document, signature or b"")
    except SignatureError:
        return Entry(number, record, "broken")
    return Entry(number, record, "signed")
