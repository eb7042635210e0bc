"""The obstore clients of one bucket, and which objects a writer recognises as its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import obstore

from holdfast.errors import HoldfastError, ObjectExists, ObjectMissing, StoreError, StoreRefused
from holdfast.storage.answers import Answer

if TYPE_CHECKING:
    from obstore import Attributes, GetResult
    from obstore.store import ClientConfig, RetryConfig
    from obstore.store import ObjectStore as Client

# Also fits Azure, where names of metadata must be identifiers.
_WRITER = "holdfastwriter"

# What obstore's functions raise, apart from the exceptions of an iterator that they were given.
FAILURES = (obstore.exceptions.BaseError, OSError, ValueError)

_CONNECT_S = 5
SHORT_S = 30
LONG_S = 180
RETRYING_S = 20


def client_options(timeout_s: int, *, allow_http: bool) -> ClientConfig:
    """Time limits of one request: one to connect, one for all of it."""
    return {"connect_timeout": f"{_CONNECT_S}s", "timeout": f"{timeout_s}s", "allow_http": allow_http}


def retry_options() -> RetryConfig:
    """Enough to outlive the restart of a store; one that is down is given up within half a minute."""
    return {
        "max_retries": 10,
        "retry_timeout": timedelta(seconds=RETRYING_S),
        "backoff": {"init_backoff": timedelta(milliseconds=500), "max_backoff": timedelta(seconds=4), "base": 2},
    }


@dataclass(frozen=True, slots=True)
class Backend:
    """One bucket and prefix: ``quick`` for requests of a few MiB, ``patient`` for uploads of parts."""

    url: str
    quick: Client
    patient: Client

    @contextmanager
    def explained(self, act: str, key: str) -> Iterator[None]:
        """Turn obstore's exceptions into ours. They are not chained: their text may hold signed URLs."""
        try:
            yield
        except FAILURES as error:
            raise self.translated(error, act, key) from None

    def translated(self, error: BaseException, act: str, key: str) -> HoldfastError:
        """Our error for obstore's, naming store, object and reason."""
        answer = Answer.of(error)
        if isinstance(error, FileNotFoundError) and not answer.is_about_bucket:
            return ObjectMissing(f"store {self.url}: {key} does not exist")
        if isinstance(error, obstore.exceptions.AlreadyExistsError):
            return ObjectExists(f"store {self.url}: {key} exists already and is not overwritten")
        kind = StoreRefused if answer.is_about_access else StoreError
        return kind(f"store {self.url}: cannot {act} {key or 'its root'}: {answer.reason}", hint=answer.hint)

    def inspected(self, key: str) -> GetResult:
        """The object's attributes and facts without its bytes; raises as obstore does.

        The answer to a HEAD request has no body: to learn why one failed the object is asked for.
        """
        try:
            return obstore.get(self.quick, key, options={"head": True})
        except FAILURES as error:
            if Answer.of(error).status is None:
                raise
        return obstore.get(self.quick, key)

    def writer_of(self, key: str) -> str | None:
        """The mark of who wrote the object, empty where it bears none; None where there is no object."""
        try:
            attributes = self.inspected(key).attributes
        except FileNotFoundError as error:
            if Answer.of(error).is_about_bucket:
                raise
            return None
        return attributes.get(_WRITER, "")

    def holds(self, key: str) -> bool:
        """Is there such an object? Asked for with GET, whose refusal tells a missing bucket from a free key."""
        try:
            obstore.get(self.quick, key)
        except FileNotFoundError as error:
            if Answer.of(error).is_about_bucket:
                raise
            return False
        return True

    @staticmethod
    def mark(writer: str) -> Attributes:
        """The attributes by which an object names its writer."""
        return {_WRITER: writer}
