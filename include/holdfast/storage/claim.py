"""Makes a large upload create-only where the store's own interface cannot: one writer at a time may complete.

S3, Google and Azure store a small object atomically only if its key is free, but obstore offers no such
condition for the completion of a multipart upload: Google has none, and SeaweedFS has one that two
completions at once both pass. So who has sent all bytes first creates the small object `<key>.claim`, looks
whether the key is still free, completes, and removes the claim. All of it is done or given up within the
lease, hence a claim that stands unchanged for longer belongs to a writer that died, and is taken over by an
atomic compare-and-swap. Time is measured by watching, never by comparing clocks of machines.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import obstore
from obstore.exceptions import AlreadyExistsError, PreconditionError

from holdfast.storage.backend import FAILURES, LONG_S, RETRYING_S, Backend

if TYPE_CHECKING:
    from obstore import ObjectMeta, UpdateVersion

# From the claim on: the last parts (all at once), then the completion; each request is tried again only
# until RETRYING_S have passed. The rest is to spare.
LEASE_S = 2 * (LONG_S + RETRYING_S) + 80
_POLL_S = 0.5

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Held:
    version: UpdateVersion
    writer: str


class Claim:
    """The right of ``writer`` to complete the upload of ``key``."""

    def __init__(self, backend: Backend, key: str, writer: str, lease_s: float) -> None:
        self._backend = backend
        self._key = key
        self._name = f"{key}.claim"
        self._writer = writer
        self._lease_s = lease_s
        self._tried_at = 0.0
        self._is_held = False

    def take(self, is_lost: Callable[[], bool]) -> bool:
        """Wait for the claim; False as soon as ``is_lost`` says that the key is taken. Raises as obstore does."""
        watch = _Watch(self._lease_s)
        while not is_lost():
            self._tried_at = time.monotonic()
            self._is_held = self._create() or self._inherit(watch)
            if self._is_held:
                if not is_lost():
                    return True
                self.release()
        return False

    def await_others(self) -> None:
        """Return when nobody has the claim, or nobody who is alive."""
        watch = _Watch(self._lease_s)
        while (held := self._held()) is not None and not watch.has_lapsed(held):
            self._pause(watch)

    def release(self) -> None:
        """Give the claim up, if we have it. After the lease it may be another's already, and is left alone."""
        if self._is_held and time.monotonic() - self._tried_at < self._lease_s:
            # What cannot be removed now lapses by itself; an object that is stored must not count as failed.
            with suppress(*FAILURES):
                obstore.delete(self._backend.quick, self._name)
        self._is_held = False

    def _inherit(self, watch: _Watch) -> bool:
        """Take over a claim that is our own, its answer lost, or one that has lapsed; else wait a moment."""
        held = self._held()
        if held is None:
            return False
        if held.writer == self._writer or (watch.has_lapsed(held) and self._replace(held)):
            return True
        self._pause(watch)
        return False

    def _pause(self, watch: _Watch) -> None:
        if watch.is_new:
            _log.warning(
                "store %s: another writer is completing %s, or was killed then; waiting for up to %d s",
                *(self._backend.url, self._key, self._lease_s),
            )
        watch.is_new = False
        time.sleep(_POLL_S)

    def _create(self) -> bool:
        try:
            self._put("create")
        except AlreadyExistsError:
            return False
        return True

    def _replace(self, held: _Held) -> bool:
        try:
            self._put(held.version)
        except (PreconditionError, FileNotFoundError):
            return False
        return True

    def _put(self, mode: Literal["create"] | UpdateVersion) -> None:
        content = self._writer.encode()
        obstore.put(self._backend.quick, self._name, content, attributes=Backend.mark(self._writer), mode=mode)

    def _held(self) -> _Held | None:
        try:
            found = obstore.get(self._backend.quick, self._name)
            meta = found.meta
            return _Held(_version(meta), bytes(found.bytes()).decode(errors="replace"))
        except FileNotFoundError:
            return None


def _version(meta: ObjectMeta) -> UpdateVersion:
    """What distinguishes this content: an ETag, on Google its generation; None is not to be handed back."""
    version: UpdateVersion = {}
    if meta["e_tag"] is not None:
        version["e_tag"] = meta["e_tag"]
    if meta["version"] is not None:
        version["version"] = meta["version"]
    return version


class _Watch:
    """Tells when one and the same claim has been seen for as long as the lease."""

    def __init__(self, lease_s: float) -> None:
        self.is_new = True
        self._lease_s = lease_s
        self._seen: _Held | None = None
        self._since = 0.0

    def has_lapsed(self, held: _Held) -> bool:
        if held != self._seen:
            self._seen, self._since = held, time.monotonic()
        return time.monotonic() - self._since > self._lease_s
