"""Checks one shard: its bytes to the last, and the SHA-256 of every content that a snapshot wants of it."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from holdfast.crypto import age
from holdfast.errors import DecryptError, IntegrityError, NoIdentityMatch, ObjectMissing, StoreRefused, UsageError
from holdfast.media.cutting import Span, cut
from holdfast.media.records import ShardUse
from holdfast.media.shard_reading import ShardReader
from holdfast.media.side_by_side import Stopped
from holdfast.media.sparse import ContentHash, demand_sound
from holdfast.storage.protocol import Store
from holdfast.storage.tally import Tally
from holdfast.verify.media_contents import StoredContent

MISSING = "it is missing in the store"


@dataclass(slots=True)
class Progressed:
    """What all threads together have read."""

    stop: threading.Event = field(default_factory=threading.Event)
    bytes: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, size_bytes: int) -> None:
        """Count; raises Stopped where nothing more is to be read."""
        if self.stop.is_set():
            raise Stopped
        with self._lock:
            self.bytes += size_bytes


@dataclass(slots=True)
class Finding:
    """What one shard turned out to be.

    ``damaged``: the hashes of contents that are not there as they were stored; ``whole``: why the shard as a whole is
    damaged. ``locked``: why it cannot be read here although its bytes are those that were stored.
    """

    shard: str
    files: int = 0
    damaged: set[str] = field(default_factory=set)
    whole: str | None = None
    locked: str | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong with it."""
        return not (self.damaged or self.is_lost)

    @property
    def is_lost(self) -> bool:
        """Whether nothing in it can be had."""
        return self.whole is not None or self.locked is not None

    def hits(self, sha256: str) -> bool:
        """Whether that content cannot be had."""
        return self.is_lost or sha256 in self.damaged


def check_shard(
    store: Store,
    key: str,
    use: ShardUse,
    contents: Iterable[StoredContent],
    identities: Sequence[age.Identity] | None,
    progressed: Progressed,
) -> Finding:
    """Read one shard to its end. Damage is found, not raised; raises StoreError where the store does not answer."""
    finding = Finding(use.id)
    try:
        if identities is None:
            finding.whole = _difference(store, key, use, progressed)
        else:
            _read(ShardReader(store, key, use.bytes, identities), contents, finding, progressed)
    except ObjectMissing:
        finding.whole = MISSING
    except StoreRefused:
        raise
    except UsageError as error:  # something stands under the key that a store never writes, such as a link
        finding.whole = error.message
    except DecryptError as error:
        difference = _difference(store, key, use, progressed)
        if difference is None and isinstance(error, NoIdentityMatch):
            finding.locked = error.message
        else:
            finding.whole = difference or error.message
    return finding


def _read(reader: ShardReader, contents: Iterable[StoredContent], finding: Finding, progressed: Progressed) -> None:
    digest: ContentHash | None = None
    for content, part, is_last in cut(_counted(reader, progressed), _spans(contents, finding)):
        if part is None:
            finding.damaged.add(content.sha256)
            digest = None
            continue
        digest = digest or ContentHash(content.size, content.extents)
        digest.update(part)
        if is_last:
            finding.files += 1
            if digest.hexdigest() != content.sha256:
                finding.damaged.add(content.sha256)
            digest = None
    if reader.fault is not None and not finding.damaged:
        finding.whole = reader.fault


def _spans(contents: Iterable[StoredContent], finding: Finding) -> Iterator[Span[StoredContent]]:
    for content in contents:
        try:
            if content.extents is not None:
                demand_sound(content.size, content.extents)
        except IntegrityError:
            finding.damaged.add(content.sha256)
            continue
        if content.stored_bytes:
            yield Span(content.offset, content.stored_bytes, content)
        else:  # nothing of it lies anywhere that could be damaged
            finding.files += 1


def _counted(reader: ShardReader, progressed: Progressed) -> Iterator[tuple[int, memoryview]]:
    for offset, piece in reader.stream():
        progressed.add(len(piece))
        yield offset, piece


def _difference(store: Store, key: str, use: ShardUse, progressed: Progressed) -> str | None:
    """How the stored bytes differ from those that were written; None where they do not."""
    tally = Tally(progressed.add)
    for _ in tally.over(store.stream(key)):
        pass
    if tally.bytes != use.bytes:
        return f"it has {tally.bytes} bytes instead of {use.bytes}"
    return None if tally.sha256 == use.sha256 else "its SHA-256 is not the one that was recorded"
