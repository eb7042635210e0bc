"""What a bucket holds, in bytewise order of the keys, each object with the version that stands now.

The list of objects says what there is. Versions are looked up beside it, a batch of keys at a time: servers are
known whose list of versions loses keys, or spells them otherwise, where it is cut into pages. Whatever is not found
there as it stands in the list is asked for by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import batched
from typing import Any, NamedTuple

from holdfast.errors import PermanentError
from holdfast.storage.buckets import Bucket, answer_of

_BATCH = 1000
_AT_ONCE = 16
_END = b"\0"  # XML can hold no such character, and so no key listed does
_AFTER_SLASH = b"0"


class Listed(NamedTuple):
    """An object: ``etag`` without quotes, ``version_id`` None where the bucket keeps no versions of it."""

    key: str
    size: int
    modified_s: int
    etag: str
    version_id: str | None = None

    @classmethod
    def of(cls, key: str, answer: dict[str, Any], size: str = "Size") -> Listed:
        """Read from an answer's fields. Times are cut to the second, which is all that some answers tell."""
        modified: datetime = answer["LastModified"]
        version = answer.get("VersionId")
        return cls(
            key,
            int(answer[size]),
            int(modified.timestamp()),
            str(answer.get("ETag", "")).strip('"'),
            None if version in (None, "", "null") else str(version),
        )


def objects(bucket: Bucket) -> Iterator[Listed]:
    """Every object below the bucket's prefix, deletions left out. Raises StoreRefused or StoreError."""
    listed = map(_unpacked, in_order(map(_packed, _listed(bucket)), bucket.prefix.encode()))
    if not _keeps_versions(bucket):
        return listed
    return _ahead(lambda batch, after: _versioned(bucket, batch, after), batched(listed, _BATCH))


def head(bucket: Bucket, key: str) -> Listed | None:
    """One object as it is now; None where it is gone."""
    from botocore.exceptions import ClientError  # type: ignore[import-untyped]

    with bucket.explained(f"look at {key}"):
        try:
            return Listed.of(key, bucket.client.head_object(Bucket=bucket.name, Key=key), "ContentLength")
        except ClientError as error:
            if answer_of(error).status == 404:
                return None
            raise


def in_order(records: Iterable[bytes], prefix: bytes) -> Iterator[bytes]:
    """Packed records in bytewise order of their keys, held back no longer than needed.

    S3 lists so. A server with real folders lists all of ``a/`` before ``a-b``, which sorts first: each run of names
    that can change places is sorted, at worst all that lies below one folder of ``prefix``.
    """
    held: list[bytes] = []
    bound = b""
    for record in records:
        if record >= bound:
            held.sort()
            yield from held
            held.clear()
            first = record[len(prefix) :].partition(_END)[0].partition(b"/")[0]
            bound = prefix + first + _AFTER_SLASH
        held.append(record)
    held.sort()
    yield from held


def _listed(bucket: Bucket) -> Iterator[Listed]:
    pages = bucket.client.get_paginator("list_objects_v2").paginate(Bucket=bucket.name, Prefix=bucket.prefix)
    with bucket.explained("list objects"):
        for page in pages:
            # SeaweedFS sorts a page by the keys as they stand in a URL.
            for each in sorted(page.get("Contents", ()), key=lambda each: each["Key"]):
                yield Listed.of(each["Key"], each)


def _packed(listed: Listed) -> bytes:
    """As few bytes as can be: of a folder with a million objects all are held. Sorts as its key does."""
    return _END.join((listed.key.encode(), b"%d" % listed.size, b"%d" % listed.modified_s, listed.etag.encode()))


def _unpacked(record: bytes) -> Listed:
    key, size, modified_s, etag = record.split(_END)
    return Listed(key.decode(), int(size), int(modified_s), etag.decode())


def _keeps_versions(bucket: Bucket) -> bool:
    """Has the bucket ever kept versions, and may they be listed?"""
    try:
        return bool(bucket.ask("get_bucket_versioning").get("Status"))
    except PermanentError:
        pass  # who may not ask for the setting may yet list
    try:
        found = bucket.ask("list_object_versions", Prefix=bucket.prefix, MaxKeys=1).get("Versions", [])
    except PermanentError:
        return False
    return any(each.get("VersionId") not in (None, "null") for each in found)


def _versioned(bucket: Bucket, batch: tuple[Listed, ...], after: str) -> list[Listed]:
    versions = _versions(bucket, batch, after)
    found = [versions.get(listed.key) for listed in batch]
    unsure = [listed.key for listed, version in zip(batch, found, strict=True) if not _is_same(listed, version)]
    if not unsure:
        return [version for version in found if version is not None]
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        asked = dict(zip(unsure, threads.map(lambda key: head(bucket, key), unsure), strict=True))
    known = {listed.key: version for listed, version in zip(batch, found, strict=True)} | asked
    return [version for listed in batch if (version := known[listed.key]) is not None]


def _is_same(listed: Listed, version: Listed | None) -> bool:
    return version is not None and version._replace(version_id=None) == listed


def _versions(bucket: Bucket, batch: tuple[Listed, ...], after: str) -> dict[str, Listed]:
    """The newest versions of a batch's keys, as far as the list of versions tells; ``after``: the key before them."""
    wanted = {listed.key for listed in batch}
    last = batch[-1].key
    start = {"KeyMarker": after} if after else {}
    pages = bucket.client.get_paginator("list_object_versions").paginate(
        Bucket=bucket.name, Prefix=bucket.prefix, **start
    )
    found: dict[str, Listed] = {}
    with bucket.explained("list versions"):
        for page in pages:
            versions = page.get("Versions", ())
            for each in versions:
                if each.get("IsLatest") and each["Key"] in wanted:
                    found[each["Key"]] = Listed.of(each["Key"], each)
            if versions and versions[-1]["Key"] > last:
                break
    return found


def _ahead(
    read: Callable[[tuple[Listed, ...], str], list[Listed]], batches: Iterator[tuple[Listed, ...]]
) -> Iterator[Listed]:
    """The batches one after another, the next one asked for while the last is used."""

    def next_one(after: str) -> tuple[list[Listed], str] | None:
        batch = next(batches, None)
        return None if batch is None else (read(batch, after), batch[-1].key)

    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(next_one, "")
        while (ready := waiting.result()) is not None:
            found, after = ready
            waiting = thread.submit(next_one, after)
            yield from found
