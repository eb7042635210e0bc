"""Reads stored pieces of WAL back, out of age and zstd."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence

from holdfast.catalog.wal import WalCatalog, WalPiece
from holdfast.crypto import age
from holdfast.errors import IntegrityError
from holdfast.manifest.wal import WalRecord
from holdfast.postgres.outer_zstd import decompressed

# A line for each of a few thousand timelines.
_HISTORY_BYTES = 1 << 20


def plain(stored: Iterable[bytes], identities: Sequence[age.Identity]) -> Iterator[bytes]:
    """What is in a stored piece, in pieces of up to 1 MiB; raises DecryptError or IntegrityError on the way."""
    try:
        yield from decompressed(age.decrypt(stored, identities))
    except IntegrityError as error:
        raise IntegrityError(error.message.removeprefix("archive: ")) from error


def history_reader(
    catalog: WalCatalog, identities: Sequence[age.Identity] | None
) -> Callable[[WalPiece, WalRecord], str | None]:
    """Reads a history file's text and compares it with its record; None comes back where there is no identity."""

    def read(piece: WalPiece, record: WalRecord) -> str | None:
        if identities is None:
            return None
        text = bytearray()
        for part in plain(catalog.store.stream(catalog.key(piece)), identities):
            text += part
            if len(text) > _HISTORY_BYTES:
                raise IntegrityError(f"{catalog.key(piece)}: too large for a history file")
        if hashlib.sha256(text).hexdigest() != record.sha256:
            raise IntegrityError(f"{catalog.key(piece)}: its content is not what its record says")
        return text.decode(errors="replace")

    return read
