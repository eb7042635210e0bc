"""Opens the stored listing of a snapshot: every line that comes of it is one that was signed."""

from __future__ import annotations

from collections.abc import Sequence

from holdfast.crypto import age
from holdfast.errors import DecryptError, IntegrityError
from holdfast.media.listing import ListingSearch
from holdfast.media.records import ListingFacts
from holdfast.storage.protocol import Store


def open_listing(store: Store, key: str, facts: ListingFacts, identities: Sequence[age.Identity]) -> ListingSearch:
    """The listing under ``key``, read by ranges as it is searched.

    Raises ObjectMissing, and NoIdentityMatch, DecryptError or IntegrityError that name the key; what is searched
    later raises the same.
    """

    def read_range(offset: int, length: int) -> bytes:
        return store.read_range(key, offset, length)

    def read(offset: int, length: int) -> bytes:
        try:
            return reader.read(offset, length)
        except DecryptError as error:
            raise _named(error, key) from error

    try:
        reader = age.RangeReader(read_range, facts.bytes, identities)
    except DecryptError as error:
        raise _named(error, key) from error
    try:
        return ListingSearch(read, facts)
    except IntegrityError as error:
        raise IntegrityError(f"{key}: {error.message}", hint=error.hint) from error


def _named(error: DecryptError, key: str) -> DecryptError:
    return type(error)(f"{key}: {error.message}", hint=error.hint)
