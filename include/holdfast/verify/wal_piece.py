"""Checks one stored piece of WAL: decrypted and unpacked, it must be what its signed record says."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from holdfast.catalog import WalCatalog, WalPiece
from holdfast.catalog.wal_reading import plain
from holdfast.crypto import age
from holdfast.crypto.signing import Verifier
from holdfast.errors import (
    DecryptError,
    IntegrityError,
    NoIdentityMatch,
    ObjectMissing,
    PermanentError,
    SignatureError,
    StoreRefused,
)
from holdfast.manifest.wal import WalRecord
from holdfast.values.wal_names import WalSegment
from holdfast.verify.wal_report import WalFault
from holdfast.wal.page_header import HEADER_BYTES, PageHeader
from holdfast.wal.timelines import TimelineHistory


@dataclass(frozen=True, slots=True)
class Checked:
    """What an object turned out to be; ``name`` is what it is remembered by.

    ``is_locked``: no identity here opens it, which says nothing of its bytes. ``is_gone``: it was removed meanwhile.
    """

    name: str
    key: str
    fault: WalFault | None = None
    is_locked: bool = False
    is_gone: bool = False


@dataclass(frozen=True, slots=True)
class PieceReader:
    """Reads pieces of one cluster; ``count`` is told of stored bytes, and may raise to end it all."""

    catalog: WalCatalog
    verifier: Verifier
    identities: Sequence[age.Identity]
    histories: Mapping[int, TimelineHistory]
    count: Callable[[int], None]

    def check(self, piece: WalPiece) -> Checked:
        """Read one piece to its end. Damage is found, not raised; raises StoreError where the store does not answer."""
        key, record_key = self.catalog.key(piece), self.catalog.record_key(piece)
        try:
            record = self.catalog.record(piece, self.verifier)
        except ObjectMissing:
            return Checked(piece.name, key, WalFault(record_key, "the record is missing"), is_gone=True)
        except (SignatureError, IntegrityError) as error:
            return Checked(piece.name, key, WalFault(record_key, _reason(error, record_key)))
        try:
            fault = self._read(piece, record)
            return Checked(piece.name, key, None if fault is None else WalFault(key, fault))
        except ObjectMissing:
            return Checked(piece.name, key, WalFault(key, "it is missing"), is_gone=True)
        except StoreRefused:
            raise
        except NoIdentityMatch as error:
            return Checked(piece.name, key, WalFault(key, f"not decryptable: {error.message}"), is_locked=True)
        except DecryptError as error:
            return Checked(piece.name, key, WalFault(key, f"not decryptable: {error.message}"))
        except PermanentError as error:
            return Checked(piece.name, key, WalFault(key, _reason(error, key)))

    def _read(self, piece: WalPiece, record: WalRecord) -> str | None:
        """How its content differs from the record; None where it does not."""
        digest, count, beginning = hashlib.sha256(), 0, b""
        for part in plain(self._stored(piece), self.identities):
            if len(beginning) < HEADER_BYTES:
                beginning += part[:HEADER_BYTES]
            digest.update(part)
            count += len(part)
            if count > record.bytes:
                return f"it has more than the {record.bytes} bytes that its record says"
        if count != record.bytes:
            return f"it has {count} bytes instead of {record.bytes}"
        if digest.hexdigest() != record.sha256:
            return "its sha256 is not the one that its record says"
        if piece.kind == "segment" and count != record.segment_bytes:
            return f"a segment of {count} bytes, where segments have {record.segment_bytes}"
        return None if piece.kind == "history" else self._first_page(piece, record, beginning)

    def _stored(self, piece: WalPiece) -> Iterator[bytes]:
        for part in self.catalog.store.stream(self.catalog.key(piece)):
            self.count(len(part))
            yield part

    def _first_page(self, piece: WalPiece, record: WalRecord, beginning: bytes) -> str | None:
        segment = WalSegment.parse(piece.name[:24], record.segment_bytes)
        header = PageHeader.parse(beginning[:HEADER_BYTES])
        return header.fault(piece.system_identifier, segment, self.histories.get(piece.timeline))


def _reason(error: PermanentError, key: str) -> str:
    return " ".join(error.message.split("\n")).removeprefix(f"{key}: ")
