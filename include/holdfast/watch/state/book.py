"""The watch's records in a store: numbered, create-only, signed; the newest genuine one is the memory.

A signature lies under a name of its record's hash. Two who write the same number at once then never spoil each
other's: one record stands, with its own signature, and who comes second starts again from that.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import ValidationError

from holdfast.crypto.signing import Signer, Verifier
from holdfast.errors import HoldfastError, ObjectExists, ObjectMissing, SignatureError, TransientError
from holdfast.storage.protocol import Store
from holdfast.values.keys import EnvironmentKeys
from holdfast.watch.state.records import WatchRecord

_NAME = re.compile(r"([0-9]{8,18})(?:\.([0-9a-f]{16}))?\.(json|sig)")
_KEPT = 4
_DELETED_AT_ONCE = 40
_TRIED = 5
# A stranger's number beyond that would use the numbers up.
_LEAP = 1_000_000
_ATTEMPTS = 10
# Facts of a WAL with thousands of gaps take a few; what a stranger put there must not fill the memory.
_LARGEST_BYTES = 64 << 20


@dataclass(slots=True)
class Book:
    """The memory of one environment in one store. ``faults`` says what stood there and was not ours."""

    store: Store
    keys: EnvironmentKeys
    verifier: Verifier
    faults: dict[str, str] = field(default_factory=dict)
    _names: list[str] = field(default_factory=list)

    def newest(self, now: datetime) -> WatchRecord:
        """The newest record with our signature, or an empty one; raises only where the store does not answer."""
        prefix = self.keys.watch
        sizes = {stored.key: stored.size_bytes for stored in self.store.list(prefix)}
        self._names = [key[len(prefix) :] for key in sizes]
        for number in sorted(self._numbers(), reverse=True)[:_TRIED]:
            size_bytes = sizes.get(self._key(number), 0)
            if size_bytes > _LARGEST_BYTES:
                self.faults[self._key(number)] = f"is {size_bytes} bytes, which no record is"
                continue
            try:
                return self._read(number)
            except ObjectMissing:
                # Removed meanwhile by who has written newer ones.
                continue
            except SignatureError as error:
                self.faults[self._key(number)] = error.message
            except ValidationError:
                # Ours, but of another version that remembered other things: this one starts anew.
                break
        return WatchRecord(app=self.keys.app, environment=self.keys.environment, at=now)

    def change(self, signer: Signer, now: datetime, change: Callable[[WatchRecord], WatchRecord]) -> WatchRecord:
        """Write what ``change`` makes of the newest record, unless that is the same; returns what stands then.

        Where another writes at the same time, ``change`` is asked again about what stands by then.
        """
        for _ in range(_ATTEMPTS):
            before = self.newest(now)
            after = change(before)
            if after == before:
                return before
            number = self._next(before.number)
            record = after.model_copy(update={"number": number, "at": now})
            document = record.encode()
            with suppress(ObjectExists):
                self.store.put(self._key(number, _hash(document)), [signer.sign(document)])
            try:
                self.store.put(self._key(number), [document])
            except ObjectExists:
                continue
            self._prune(number)
            return record
        raise TransientError(f"{self.keys.watch}: others wrote a record each time that this watch tried to")

    def clear(self) -> None:
        """Remove all records."""
        for stored in list(self.store.list(self.keys.watch)):
            self.store.delete(stored.key)

    def _read(self, number: int) -> WatchRecord:
        document = self.store.get(self._key(number))
        try:
            self.verifier.verify(document, self.store.get(self._key(number, _hash(document))))
        except ObjectMissing as error:
            raise SignatureError("has no signature of its bytes") from error
        record = _parsed(document)
        if (record.app, record.environment, record.number) != (self.keys.app, self.keys.environment, number):
            raise SignatureError(f"is record {record.number} of {record.app}/{record.environment}, copied there")
        return record

    def _numbers(self) -> list[int]:
        found = (_NAME.fullmatch(name) for name in self._names)
        return [int(match[1]) for match in found if match and match[3] == "json"]

    def _next(self, genuine: int) -> int:
        """One more than the highest that stands; strangers' leaps are not followed."""
        return max((each for each in self._numbers() if each <= genuine + _LEAP), default=genuine) + 1

    def _key(self, number: int, signed: str | None = None) -> str:
        return self.keys.watch_record(f"{number:08}.{signed}.sig" if signed is not None else f"{number:08}.json")

    def _prune(self, newest: int) -> None:
        """Remove old records, signatures after them. A locked store refuses: they stay until it lets them go."""
        old = [(match, name) for name in self._names if (match := _NAME.fullmatch(name)) and int(match[1]) <= newest]
        doomed = [(match[3] == "sig", name) for match, name in old if int(match[1]) <= newest - _KEPT]
        with suppress(HoldfastError):
            for _, name in sorted(doomed)[:_DELETED_AT_ONCE]:
                self.store.delete(self.keys.watch_record(name))


def _parsed(document: bytes) -> WatchRecord:
    """What another version has read may have another form and is read again; its open alerts count."""
    try:
        return WatchRecord.model_validate_json(document)
    except ValidationError:
        fields = json.loads(document)
        return WatchRecord.model_validate({**fields, "facts": None})


def _hash(document: bytes) -> str:
    return hashlib.sha256(document).hexdigest()[:16]
