"""Ship one piece of WAL: its record with its hash first, then the piece, compressed and encrypted."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from holdfast.catalog import WalPiece
from holdfast.crypto import age
from holdfast.environment import Environment
from holdfast.errors import HoldfastError, IntegrityError, ObjectExists, ObjectMissing, TransientError
from holdfast.manifest.wal import WalRecord
from holdfast.postgres.outer_zstd import compressed
from holdfast.streaming.ledger import Ledger
from holdfast.streaming.marks import Marks
from holdfast.values.lsn import Lsn

_LEVEL = 1
_HELD_BYTES = 16 << 20
# Frames and chunks add little to what cannot be compressed.
_OVERHEAD = 1.02


class SpoolLost(TransientError):
    """A file of the spool is gone or cannot be read; the source still has what it held."""


@dataclass(frozen=True, slots=True)
class Cargo:
    """A piece on its way: ``read`` opens its first ``size_bytes`` anew; ``start`` and ``end`` are None of a history.

    ``done`` is called, in a thread of the shipping, once the piece is in the store.
    """

    piece: WalPiece
    size_bytes: int
    segment_bytes: int
    server_version_num: int
    read: Callable[[], Iterable[bytes]] = field(repr=False)
    start: Lsn | None = None
    end: Lsn | None = None
    switches: tuple[tuple[int, str], ...] = ()
    done: Callable[[], None] = field(default=lambda: None, repr=False)


class Shipper:
    """Stores pieces of one cluster's WAL; used by several threads."""

    def __init__(self, environment: Environment, ledger: Ledger, marks: Marks) -> None:
        self._catalog = environment.wal_catalog
        self._store, self._clock = environment.store, environment.clock
        self._recipients = environment.recipients()
        self._signer = environment.signer()
        self.ledger, self.marks = ledger, marks

    def ship(self, cargo: Cargo) -> int:
        """Store the piece; returns the bytes that it takes there, 0 where it stood there already.

        Raises SpoolLost, IntegrityError where the store has other content under its name, StoreError.
        """
        piece = cargo.piece
        if self._is_needless(cargo):
            return 0
        kept = tuple(self._readable(cargo)) if cargo.size_bytes <= _HELD_BYTES else None
        sha256 = self._hashed(cargo, self._readable(cargo) if kept is None else kept)
        is_first = self._catalog.write_record(piece, self._record(cargo, sha256), self._signer)
        plain = self._again(cargo, sha256) if kept is None else kept
        sealed = age.encrypt(compressed(plain, _LEVEL), self._recipients)
        hint = int(cargo.size_bytes * _OVERHEAD) + (1 << 16)
        try:
            stored = self._store.put(self._catalog.key(piece), sealed, size_hint_bytes=hint)
        except ObjectExists:
            if is_first:
                # What stood there before its record is nothing of ours: to count it as stored would lose this piece.
                self._store.delete(self._catalog.record_key(piece))
                raise IntegrityError(
                    f"WAL {self._catalog.key(piece)}: the store has an object there that nobody has recorded",
                    hint="Find out who wrote it, and remove it.",
                ) from None
            stored = 0
        self.ledger.stored(piece, sha256)
        return stored

    def clear(self, name: str | None = None) -> None:
        """Delete partial pieces of which the store has more: of one segment, or of all."""
        for piece in self.ledger.superseded(name):
            self._store.delete(self._catalog.key(piece))
            self._store.delete(self._catalog.record_key(piece))

    def recall(self, piece: WalPiece) -> None:
        """Take over the marks of a partial piece that a longer one will replace, where they can be read."""
        with suppress(HoldfastError):
            self.marks.add(piece.timeline, *self._catalog.record(piece, self._signer.verifier()).marks)

    def _is_needless(self, cargo: Cargo) -> bool:
        """Has the store as much of it or more? A whole segment is compared with what is there."""
        if cargo.piece.kind == "history":
            return self.ledger.has_history(cargo.piece.timeline)
        if cargo.piece.kind == "segment":
            return False
        longest = max((piece.end or 0 for piece in self._known(cargo)), default=0)
        return self.ledger.has(cargo.piece.file) or longest > cargo.size_bytes

    def _known(self, cargo: Cargo) -> list[WalPiece]:
        if cargo.piece.kind == "history":
            return []
        known = self.ledger.longest(cargo.piece.file)
        return [] if known is None else [known]

    def _hashed(self, cargo: Cargo, pieces: Iterable[bytes]) -> str:
        """The SHA-256 of it all; its beginning must be what the store has of that already."""
        known = next((each for each in self._known(cargo) if (each.end or 0) <= cargo.size_bytes), None)
        whole, left = hashlib.sha256(), None if known is None else known.end or 0
        for piece in pieces:
            if known is None or left is None or left > len(piece):
                whole.update(piece)
                left = None if left is None else left - len(piece)
                continue
            whole.update(piece[:left])
            self._demand_same(cargo, known, whole.hexdigest())
            whole.update(piece[left:])
            left = None
        return whole.hexdigest()

    def _demand_same(self, cargo: Cargo, known: WalPiece, sha256: str) -> None:
        recorded = self.ledger.hash_of(known)
        if recorded is None:
            try:
                recorded = self._catalog.record(known, self._signer.verifier()).sha256
            except ObjectMissing:
                # Somebody has deleted it meanwhile, which takes nothing from what is shipped now.
                return
        if recorded != sha256:
            raise IntegrityError(
                f"WAL {self._catalog.key(known)}: the store has another beginning of {cargo.piece.file} "
                f"(sha256 {recorded[:16]}…, here {sha256[:16]}…)",
                hint="Two servers write one timeline, such as an old primary that came back: stop one of them.",
            )

    def _again(self, cargo: Cargo, sha256: str) -> Iterator[bytes]:
        """Read it a second time, and fail where it is no longer what was recorded: then nothing is stored."""
        hashed = hashlib.sha256()
        for piece in self._readable(cargo):
            hashed.update(piece)
            yield piece
        if hashed.hexdigest() != sha256:
            raise SpoolLost(f"spool: {cargo.piece.file} changed while it was read")

    def _readable(self, cargo: Cargo) -> Iterator[bytes]:
        try:
            yield from cargo.read()
        except OSError as error:
            raise SpoolLost(f"spool: {cargo.piece.file} cannot be read: {error}") from error

    def _record(self, cargo: Cargo, sha256: str) -> WalRecord:
        piece, start, end = cargo.piece, cargo.start, cargo.end
        marks = () if start is None or end is None else self.marks.within(piece.timeline, start, end)
        return WalRecord(
            kind=piece.kind,
            system_identifier=piece.system_identifier,
            timeline=piece.timeline,
            name=piece.name,
            segment_bytes=cargo.segment_bytes,
            server_version_num=cargo.server_version_num,
            bytes=cargo.size_bytes,
            sha256=sha256,
            end_lsn=None if end is None else str(end),
            received_at=self._clock(),
            marks=marks,
            switches=cargo.switches,
        )
