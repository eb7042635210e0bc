"""Keeps the rows that are deleted or overwritten, encrypted, in the store, before they are gone from live."""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass

from psycopg import sql

from holdfast.crypto import age
from holdfast.environment import Environment
from holdfast.errors import HoldfastError, ObjectMissing
from holdfast.operation.tables.pairing import Pair
from holdfast.operation.tables.phrases import numbered, temporary
from holdfast.postgres.outer_zstd import compressed, decompressed
from holdfast.postgres.session import Session
from holdfast.storage.pieces import joined
from holdfast.storage.tally import Tally
from holdfast.values.ids import RestorePointId

SHA256 = " SHA-256"
"""What ends the name of the fact that tells the hash of an object, beside the one that tells its key."""

_LEVEL = 3
_PREFIX = "previous-"
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


@dataclass(frozen=True, slots=True)
class Previous:
    """Rows that are kept: the object's key, and the SHA-256 of what is stored there."""

    key: str
    sha256: str


def keep_previous(environment: Environment, operation: RestorePointId, live: Session, pair: Pair) -> Previous:
    """Store the pair's previous rows, under a key that ends in ``.copy.zst.age``.

    It is what COPY … FROM reads (text, with a header line of the column names). An object that an attempt before left,
    with the same rows, is taken for it.
    """
    attempt = 1
    while True:
        suffix = "" if attempt == 1 else f"-{attempt}"
        key = environment.keys.evidence_object(operation, f"{_PREFIX}{pair.number}{suffix}.copy.zst.age")
        if not _stands(environment, key):
            sealed = age.encrypt(compressed(_rows(live, pair), _LEVEL), environment.recipients())
            tally = Tally()
            environment.store.put(key, tally.over(sealed))
            return Previous(key, tally.sha256)
        if _is_same(environment, key, live, pair):
            return Previous(key, sha256_of(environment, key))
        attempt += 1


def kept_before(environment: Environment, operation: RestorePointId) -> tuple[str, ...]:
    """The keys of what this operation has kept already: it writes live only afterwards."""
    folder = environment.keys.evidence_of(operation)
    return tuple(
        stored.key
        for stored in environment.store.list(folder)
        if stored.key.removeprefix(folder).startswith(_PREFIX) and stored.key.endswith(".copy.zst.age")
    )


def sha256_of(environment: Environment, key: str) -> str:
    """The SHA-256 of an object as it is stored; raises ObjectMissing."""
    digest = hashlib.sha256()
    for piece in environment.store.stream(key):
        digest.update(piece)
    return digest.hexdigest()


def _rows(live: Session, pair: Pair) -> Generator[bytes, None, None]:
    yield ("\t".join(name.translate(_ESCAPES) for name in pair.writable) + "\n").encode()
    query = sql.SQL("COPY (SELECT {} FROM {} AS o ORDER BY o.ctid) TO STDOUT").format(
        numbered("o", len(pair.writable)), temporary("old", pair)
    )
    with live.cursor() as cursor, cursor.copy(query) as copy:
        yield from joined(copy)


def _stands(environment: Environment, key: str) -> bool:
    try:
        environment.store.head(key)
    except ObjectMissing:
        return False
    return True


def _is_same(environment: Environment, key: str, live: Session, pair: Pair) -> bool:
    """Does the object hold just these rows, in whatever order? Each row is one line."""
    try:
        stored = decompressed(age.decrypt(environment.store.stream(key), environment.demand_identities()))
        with closing(stored):
            there = _sum_of_lines(stored)
    except HoldfastError:
        return False
    return there == _sum_of_lines(_rows(live, pair))


def _sum_of_lines(pieces: Generator[bytes, None, None]) -> tuple[int, int]:
    """How many lines, and the sum of their hashes, which no order changes."""
    count = total = 0
    rest = b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            count += 1
            total = (total + int.from_bytes(hashlib.sha256(line).digest())) % (1 << 256)
    return count, total
