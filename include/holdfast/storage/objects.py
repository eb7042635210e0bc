"""A store in a bucket of S3, Google Cloud Storage or Azure: obstore does the requests, never the deciding."""

from __future__ import annotations

import builtins
import secrets
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING

import obstore

from holdfast.errors import HoldfastError, ObjectExists, StoreError
from holdfast.storage.answers import Answer
from holdfast.storage.backend import FAILURES, Backend
from holdfast.storage.claim import LEASE_S, Claim
from holdfast.storage.key_order import in_key_order, listed_from
from holdfast.storage.names import is_key, is_part, split_key, split_prefix
from holdfast.storage.parts import SMALLEST_PART_BYTES, PartPlan, plan_parts
from holdfast.storage.pieces import ended_on_failure, joined
from holdfast.storage.protocol import StoredObject
from holdfast.storage.read_ahead import read_ahead
from holdfast.storage.upload import Upload

if TYPE_CHECKING:
    from obstore import ObjectMeta

# From here on, storing takes long enough for another writer to come in between.
_SLOW_BYTES = 1 << 20
_PAGE = 1000
_NO_SUCH_RANGE = 416


class ObjectStore:
    """Objects in a bucket, below a prefix.

    What fits into one part is stored by one conditional request; more goes as a multipart upload whose
    completion is guarded by a claim (claim.py). Every object names its writer in its metadata: if the answer
    to a request is lost and the retry finds the key taken, that tells our own object from another's.

    A process that is killed amid an upload leaves no object, but parts that only the bucket's own rule for
    incomplete uploads removes.
    """

    def __init__(self, backend: Backend, *, lease_s: float = LEASE_S) -> None:
        self._backend = backend
        self._lease_s = lease_s

    @property
    def url(self) -> str:
        """Scheme, bucket and prefix."""
        return self._backend.url

    def put(self, key: str, pieces: Iterable[bytes], *, size_hint_bytes: int | None = None) -> int:
        """Store the pieces under ``key``; see Store. Memory: parts.py."""
        split_key(key)
        writer = secrets.token_hex(16)
        with ended_on_failure(pieces):
            if self._is_taken(key):
                raise self._taken(key)
            rest = iter(pieces)
            beginning, is_all = _beginning(rest)
            if is_all:
                return self._put_small(key, b"".join(beginning), writer)
            return self._put_large(key, chain(beginning, rest), writer, plan_parts(size_hint_bytes))

    def get(self, key: str) -> bytes:
        """The whole object; see Store."""
        split_key(key)
        with self._backend.explained("read", key):
            return bytes(obstore.get(self._backend.quick, key).bytes())

    def stream(self, key: str) -> Iterator[bytes]:
        """The object in pieces of 4 MiB; see Store."""
        size_bytes = self.head(key).size_bytes
        return read_ahead(lambda offset, length: self._exactly(key, offset, length), size_bytes)

    def read_range(self, key: str, offset: int, length: int) -> bytes:
        """Part of the object; see Store."""
        split_key(key)
        if length <= 0:
            self.head(key)
            return b""
        with self._backend.explained("read", key):
            try:
                return bytes(obstore.get_range(self._backend.quick, key, start=offset, length=length))
            except FAILURES as error:
                if Answer.of(error).status == _NO_SUCH_RANGE:
                    return b""
                raise

    def head(self, key: str) -> StoredObject:
        """Facts of the object; see Store."""
        split_key(key)
        with self._backend.explained("read", key):
            return _described(key, self._backend.inspected(key).meta)

    def list(self, prefix: str, *, after: str = "") -> Iterator[StoredObject]:
        """Every object below the prefix, in key order; see Store. What has no valid key is passed over."""
        split_prefix(prefix)
        with self._backend.explained("list", prefix):
            found = in_key_order(self._listed(prefix, listed_from(prefix, after)), prefix)
            yield from (stored for stored in found if stored.key > after)

    def folders(self, prefix: str) -> builtins.list[str]:
        """The names of the folders right below the prefix; see Store. One request for each thousand."""
        split_prefix(prefix)
        with self._backend.explained("list", prefix):
            found = obstore.list_with_delimiter(self._backend.quick, prefix.removesuffix("/") or None)
        names = (place.rstrip("/").rpartition("/")[2] for place in found["common_prefixes"])
        return sorted(name for name in names if is_part(name))

    def delete(self, key: str) -> None:
        """Remove the object; see Store."""
        split_key(key)
        with self._backend.explained("delete", key):
            try:
                obstore.delete(self._backend.quick, key)
            except FileNotFoundError as error:
                if Answer.of(error).is_about_bucket:
                    raise

    def _put_small(self, key: str, content: bytes, writer: str) -> int:
        claim = Claim(self._backend, key, writer, self._lease_s)
        if len(content) >= _SLOW_BYTES:
            # SeaweedFS looks whether the key is free before the bytes have come: what completes meanwhile is lost.
            self._take(claim, key)
        with self._backend.explained("write", key):
            try:
                obstore.put(
                    self._backend.quick,
                    key,
                    content,
                    attributes=Backend.mark(writer),
                    mode="create",
                    use_multipart=False,
                )
            except FAILURES:
                if not self._is_stored(key, writer):
                    raise
            finally:
                claim.release()
            # A large upload may have looked for the object just before we stored it: let it finish, see who won.
            claim.await_others()
            if self._backend.writer_of(key) != writer:
                raise self._taken(key)
        return len(content)

    def _put_large(self, key: str, pieces: Iterator[bytes], writer: str, plan: PartPlan) -> int:
        claim = Claim(self._backend, key, writer, self._lease_s)
        upload = Upload(lambda source: self._send(key, source, writer, plan))
        size_bytes = 0
        try:
            for piece in joined(pieces):
                with self._backend.explained("write", key):
                    upload.write(piece)
                size_bytes += len(piece)
            self._take(claim, key)
        except BaseException:
            upload.abandon()
            claim.release()
            raise
        self._complete(upload, claim, key, writer)
        return size_bytes

    def _send(self, key: str, source: Iterator[bytes], writer: str, plan: PartPlan) -> None:
        """One multipart upload, which obstore aborts if anything fails, the source included."""
        obstore.put(
            self._backend.patient,
            key,
            source,
            attributes=Backend.mark(writer),
            use_multipart=True,
            chunk_size=plan.part_bytes,
            max_concurrency=plan.at_once,
        )

    def _take(self, claim: Claim, key: str) -> None:
        with self._backend.explained("write", key):
            if not claim.take(lambda: self._backend.holds(key)):
                raise self._taken(key)

    def _complete(self, upload: Upload, claim: Claim, key: str, writer: str) -> None:
        try:
            upload.finish()
        except FAILURES as error:
            if not self._is_stored(key, writer):
                # A completion without an answer may still be under way there: then the claim must stand.
                answer = Answer.of(error)
                if answer.is_refusal or answer.is_about_part:
                    claim.release()
                raise self._backend.translated(error, "write", key) from None
        except BaseException:
            upload.abandon()
            raise
        claim.release()

    def _is_stored(self, key: str, writer: str) -> bool:
        """Did a request succeed whose answer was lost? Not as far as we can learn, if the store is away."""
        try:
            return self._backend.writer_of(key) == writer
        except FAILURES:
            return False

    def _is_taken(self, key: str) -> bool:
        with self._backend.explained("write", key):
            return self._backend.holds(key)

    def _taken(self, key: str) -> HoldfastError:
        return ObjectExists(f"store {self.url}: {key} exists already and is not overwritten")

    def _exactly(self, key: str, offset: int, length: int) -> bytes:
        found = self.read_range(key, offset, length)
        if len(found) != length:
            raise StoreError(f"store {self.url}: cannot read {key}: {len(found)} of {length} bytes came from {offset}")
        return found

    def _listed(self, prefix: str, start: str | None) -> Iterator[StoredObject]:
        below = prefix.removesuffix("/") or None
        for page in obstore.list(self._backend.quick, below, offset=start, chunk_size=_PAGE):
            for meta in page:
                if is_key(meta["path"]):
                    yield _described(meta["path"], meta)


def _described(key: str, meta: ObjectMeta) -> StoredObject:
    return StoredObject(key, meta["size"], meta["last_modified"])


def _beginning(pieces: Iterator[bytes]) -> tuple[list[bytes], bool]:
    """The first pieces, as many as fill one part, and whether there are no more."""
    taken, size_bytes = [], 0
    for piece in pieces:
        taken.append(piece)
        size_bytes += len(piece)
        if size_bytes > SMALLEST_PART_BYTES:
            return taken, False
    return taken, True
