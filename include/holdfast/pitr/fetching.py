"""Brings one piece of WAL back from the store, proven by its signed record."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from holdfast.catalog.wal import WalPiece
from holdfast.crypto import age
from holdfast.crypto.signing import Verifier
from holdfast.environment import Environment
from holdfast.errors import DecryptError, IntegrityError, ObjectMissing
from holdfast.postgres.outer_zstd import decompressed

_HINT = "It was damaged or replaced in the store: only what lies before it can be recovered, or a later base backup."


def piece_bytes(
    environment: Environment, piece: WalPiece, identities: Sequence[age.Identity], verifier: Verifier
) -> Iterator[bytes]:
    """Its plaintext in pieces; raises IntegrityError before its end where it is not what was recorded.

    Raises DecryptError, SignatureError, or ObjectMissing, each naming the object.
    """
    catalog = environment.wal_catalog
    key = catalog.key(piece)
    record = catalog.record(piece, verifier)
    seen, digest = 0, hashlib.sha256()
    try:
        for part in decompressed(age.decrypt(environment.store.stream(key), identities)):
            seen += len(part)
            digest.update(part)
            yield part
    except (DecryptError, IntegrityError) as error:
        raise type(error)(f"WAL {key}: {error.message}", hint=error.hint or _HINT) from error
    except ObjectMissing as error:
        raise ObjectMissing(f"WAL {key}: not found in {environment.store.url}", hint=_HINT) from error
    if (seen, digest.hexdigest()) != (record.bytes, record.sha256):
        raise IntegrityError(f"WAL {key}: sha256 mismatch", hint=_HINT)


def piece_text(environment: Environment, piece: WalPiece) -> str:
    """A history file's text; raises as ``piece_bytes``."""
    parts = piece_bytes(environment, piece, environment.demand_identities(), environment.verifier())
    return b"".join(parts).decode(errors="replace")
