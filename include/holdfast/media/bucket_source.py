"""Media in an S3 bucket: each object is read as the version that the walk saw, or under the ETag that it saw."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing
from json.encoder import encode_basestring_ascii as quoted
from typing import Any

from holdfast.errors import HoldfastError, StoreError
from holdfast.media import bucket_listing
from holdfast.media.bucket_listing import Listed
from holdfast.media.entries import text_field
from holdfast.media.source import Found, Reader, SourceUnavailable, Unreadable, Vanished
from holdfast.storage.buckets import Bucket, answer_of, open_bucket
from holdfast.values.connection import Connection

_PIECE_BYTES = 1 << 20
_TRIES = 5
_FIRST_PAUSE_S = 0.5
# What is said of one object; every other refusal is about who asks, and ends the reading of all.
_CLOSED = ("AccessDenied", "InvalidObjectState", "AllAccessDisabled")
_HINT = "media.source and media.conn_id in the policy name the bucket and who reads it."


def open_bucket_source(url: str, connection: Connection | None) -> BucketSource:
    """The source behind ``s3://bucket/prefix``; nothing is asked yet. Raises UsageError."""
    return BucketSource(open_bucket(url, connection))


class BucketSource:
    """Every object below a prefix. An empty one whose key ends in a slash stands for a directory."""

    readers = 16
    file_systems = 1

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    @property
    def url(self) -> str:
        """Scheme, bucket and prefix."""
        return self._bucket.url

    def scan(self) -> Iterator[Found]:
        """Every object in bytewise order; see Source."""
        try:
            for listed in bucket_listing.objects(self._bucket):
                if listed.key != self._bucket.prefix:
                    yield self._found(listed)
        except HoldfastError as error:
            raise SourceUnavailable(f"media source: {error.message}", hint=_HINT) from error

    def open(self, found: Found) -> Reader:
        """An object of the walk; see Source. Nothing is asked before its bytes are."""
        return ObjectReader(self, found)

    def request(self, found: Found, offset: int, length: int) -> Any | None:
        """The body of part of an object, as it was found; None where another stands there now.

        Raises Vanished, Unreadable, StoreRefused or StoreError.
        """
        from botocore.exceptions import ClientError  # type: ignore[import-untyped]

        key = self.key(found.path)
        part = {} if length == found.size else {"Range": f"bytes={offset}-{offset + length - 1}"}
        told = _told(found)
        which = {"VersionId": told["version_id"]} if "version_id" in told else {"IfMatch": f'"{told["etag"]}"'}
        with self._bucket.explained(f"read {key}"):
            try:
                return self._bucket.client.get_object(Bucket=self._bucket.name, Key=key, **which, **part)["Body"]
            except ClientError as error:
                answer = answer_of(error)
                if answer.status in (412, 416):
                    return None
                if answer.status == 404 and not answer.is_about_bucket:
                    raise Vanished(answer.reason) from None
                if answer.status == 403 and (answer.code in _CLOSED or (answer.code or "").startswith("KMS")):
                    raise Unreadable(answer.reason) from None
                raise

    def again(self, found: Found) -> Found:
        """The object as it is now; raises Vanished."""
        listed = bucket_listing.head(self._bucket, self.key(found.path))
        if listed is None:
            raise Vanished("the object is gone")
        return self._found(listed)

    def key(self, path: bytes) -> str:
        """The object's key in the bucket."""
        return self._bucket.prefix + path.decode()

    def _found(self, listed: Listed) -> Found:
        path = listed.key[len(self._bucket.prefix) :].encode()
        mtime_ns = listed.modified_s * 1_000_000_000
        named = text_field("path", path)
        version = f'"version_id":{quoted(listed.version_id)},' if listed.version_id else ""
        if path.endswith(b"/") and not listed.size:
            return Found(path, "directory", f'{{{named},"type":"directory","mtime_ns":{mtime_ns}}}'.encode())
        line = (
            f'{{{named},"type":"file","size":{listed.size},"mtime_ns":{mtime_ns},"etag":{quoted(listed.etag)},{version}'
        )
        return Found(path, "file", line.encode("ascii"), listed.size, mtime_ns=mtime_ns)


class ObjectReader:
    """An object as the walk saw it.

    Where another was put in its place since, and no version kept, it ends early, and from then on is that other one.
    """

    def __init__(self, source: BucketSource, found: Found) -> None:
        self._source = source
        self._found = found

    def pieces(self, offset: int, length: int) -> Iterator[bytes]:
        """Part of the object; see Reader. A connection that is cut is taken up where it ended."""
        end = min(offset + length, self._found.size)
        cuts = 0
        while offset < end:
            body = self._source.request(self._found, offset, end - offset)
            if body is None:
                self._found = self._source.again(self._found)
                return
            before = offset
            for piece in _until_cut(body, end - offset):
                offset += len(piece)
                yield piece
            cuts = cuts + 1 if offset == before else 0
            if cuts == _TRIES:
                raise StoreError(f"media source {self._source.url}: {self._found.path!r} was cut {cuts} times")
            if cuts:
                time.sleep(_FIRST_PAUSE_S * 2 ** (cuts - 1))

    def extents(self) -> None:
        """A bucket knows no holes."""
        return

    def now(self) -> Found:
        """The object that is being read: no other can have been, whatever was put in its place meanwhile."""
        return self._found

    def close(self) -> None:
        """Each part is given back when it is read."""


def _until_cut(body: Any, length: int) -> Iterator[bytes]:
    """The bytes of an answer, at most ``length``, as far as they come."""
    from botocore.exceptions import (
        IncompleteReadError,
        ReadTimeoutError,
        ResponseStreamingError,
    )

    with closing(body):
        try:
            while length and (piece := body.read(min(_PIECE_BYTES, length))):
                length -= len(piece)
                yield piece
        except (IncompleteReadError, ReadTimeoutError, ResponseStreamingError):
            return


def _told(found: Found) -> dict[str, Any]:
    """The fields of its line, which ends in a comma."""
    fields: dict[str, Any] = json.loads(found.line.rstrip(b",") + b"}")
    return fields
