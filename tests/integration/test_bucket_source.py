"""Media in a bucket of a real S3 server, with versions and without: what the walk sees, and what is then read."""

from __future__ import annotations

import json
import resource
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from fix_bucket import RawBucket
from holdfast.media.bucket_source import BucketSource, open_bucket_source
from holdfast.media.entries import Content, parse
from holdfast.media.source import Found, Reader, SourceUnavailable, Unreadable, Vanished
from holdfast.values.connection import Connection
from holdfast_embedded.seaweedfs import SeaweedFS
from tcp_proxy import TcpProxy

MIB = 1 << 20
KEYS = (
    *("a b+c&d%20", "a-b", "a.txt", "a/b", "a/c-d", "a/c/d", "b/x", "b-", "new\nline", "tab\t", "bell\x07", "<&>\"'"),
    *("ünï/код", "q?x=1#y", "z" * 200, "%2e%2e", "~", "\U0001f600"),
)


@pytest.fixture
def connection(seaweed: SeaweedFS) -> Connection:
    """The application's."""
    return seaweed.connection("shop_media")


@pytest.fixture
def versioned(raw_bucket: RawBucket) -> RawBucket:
    """A bucket that keeps versions."""
    raw_bucket.keep_versions()
    return raw_bucket


@pytest.fixture(params=["versioned", "plain"])
def bucket(request: pytest.FixtureRequest, raw_bucket: RawBucket) -> RawBucket:
    """A bucket of each kind."""
    if request.param == "versioned":
        raw_bucket.keep_versions()
    return raw_bucket


def _source(bucket: RawBucket, connection: Connection) -> BucketSource:
    return open_bucket_source(f"s3://{bucket.name}/up", connection)


def _put(bucket: RawBucket, key: str, content: bytes) -> None:
    bucket.put_object(Key=f"up/{key}", Body=content)


def _only(source: BucketSource) -> Found:
    (found,) = source.scan()
    return found


def _read(reader: Reader, offset: int = 0, length: int | None = None) -> bytes:
    return b"".join(reader.pieces(offset, reader.now().size if length is None else length))


def test_every_object_in_bytewise_order(bucket: RawBucket, connection: Connection) -> None:
    """Names of every kind are told as they are, read as they are, and nothing beside the prefix is seen."""
    for key in KEYS:
        _put(bucket, key, key.encode())
    bucket.put_object(Key="upper", Body=b"x")
    source = _source(bucket, connection)
    walk = list(source.scan())
    assert [found.path for found in walk] == sorted(key.encode() for key in KEYS)
    assert source.url == f"s3://{bucket.name}/up"
    for found in walk:
        reader = source.open(found)
        assert _read(reader) == found.path
        assert reader.now() == found
        entry = parse(found.line + Content("0" * 64, "shard", 0).line_end())
        assert (entry.path, entry.kind, entry.size, entry.mtime_ns) == (
            found.path,
            "file",
            len(found.path),
            found.mtime_ns,
        )


def test_a_second_walk_tells_the_same(bucket: RawBucket, connection: Connection) -> None:
    """Not one byte of a line changes while the object does not, however it was asked for."""
    for key in KEYS:
        _put(bucket, key, b"x")
    source = _source(bucket, connection)
    walk = list(source.scan())
    assert list(source.scan()) == walk
    assert [source.again(found) for found in walk] == walk


def test_walks_of_many_pages_lose_nothing(bucket: RawBucket, connection: Connection) -> None:
    """More objects than a server lists at once, in folders whose names it sorts in a way of its own."""
    keys = [f"{number % 40:02}{ending}{number}" for number in range(1100) for ending in ("/", "-")]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda key: _put(bucket, key, b"x"), keys))
    walk = [found.path.decode() for found in _source(bucket, connection).scan()]
    assert walk == sorted(keys)


def test_directories_of_a_bucket(bucket: RawBucket, connection: Connection) -> None:
    """An empty object whose key ends in a slash is how tools note a directory; the prefix itself is none."""
    bucket.put_object(Key="up/", Body=b"")
    _put(bucket, "folder/", b"")
    _put(bucket, "folder/file", b"x")
    walk = list(_source(bucket, connection).scan())
    assert [(found.path, found.kind) for found in walk] == [(b"folder/", "directory"), (b"folder/file", "file")]
    assert parse(walk[0].line).path == b"folder/"


def test_an_empty_object(bucket: RawBucket, connection: Connection) -> None:
    """Has no bytes to ask for."""
    _put(bucket, "empty", b"")
    source = _source(bucket, connection)
    assert _read(source.open(_only(source))) == b""


def test_a_bucket_as_a_whole(bucket: RawBucket, connection: Connection) -> None:
    """A source without a prefix."""
    bucket.put_object(Key="a/b", Body=b"x")
    assert _only(open_bucket_source(f"s3://{bucket.name}", connection)).path == b"a/b"


def test_the_version_that_the_walk_saw_is_read(versioned: RawBucket, connection: Connection) -> None:
    """Whatever is put in its place, or deleted, afterwards; the next walk sees that."""
    _put(versioned, "a", b"first")
    source = _source(versioned, connection)
    first = _only(source)
    _put(versioned, "a", b"second")
    reader = source.open(first)
    assert (_read(reader), reader.now()) == (b"first", first)
    second = _only(source)
    assert second.line != first.line
    assert parse(second.line + Content("0" * 64, "shard", 0).line_end()).version_id
    versioned.delete_object(Key="up/a")
    assert list(source.scan()) == []
    assert _read(source.open(second)) == b"second"


def test_a_version_that_was_removed_has_vanished(versioned: RawBucket, connection: Connection) -> None:
    """Nobody can read it any more."""
    _put(versioned, "a", b"first")
    source = _source(versioned, connection)
    found = _only(source)
    (version,) = versioned.list_object_versions()["Versions"]
    versioned.delete_object(Key="up/a", VersionId=version["VersionId"])
    with pytest.raises(Vanished):
        _read(source.open(found))


def test_an_object_that_was_replaced_is_never_taken_for_the_old_one(
    raw_bucket: RawBucket, connection: Connection
) -> None:
    """Without versions: nothing is read of it, then it is what it is now, and can be read as that."""
    _put(raw_bucket, "a", b"first")
    source = _source(raw_bucket, connection)
    found = _only(source)
    _put(raw_bucket, "a", b"another")
    reader = source.open(found)
    assert _read(reader) == b""
    assert reader.now().line != found.line
    assert (reader.now().size, _read(reader)) == (7, b"another")


def test_an_object_that_is_gone_has_vanished(raw_bucket: RawBucket, connection: Connection) -> None:
    """Without versions there is nothing left of it."""
    _put(raw_bucket, "a", b"first")
    source = _source(raw_bucket, connection)
    found = _only(source)
    raw_bucket.delete_object(Key="up/a")
    with pytest.raises(Vanished):
        _read(source.open(found))


def test_objects_from_before_versions_were_kept(raw_bucket: RawBucket, connection: Connection) -> None:
    """They have the version ``null``, under which others may come to stand: the ETag tells them apart."""
    _put(raw_bucket, "old", b"first")
    raw_bucket.keep_versions()
    _put(raw_bucket, "young", b"first")
    source = _source(raw_bucket, connection)
    old, young = source.scan()
    assert b"version_id" not in old.line
    assert b"version_id" in young.line
    assert _read(source.open(old)) == b"first"
    _put(raw_bucket, "old", b"second")
    assert _read(source.open(old)) == b""


def test_without_the_right_to_list_versions(versioned: RawBucket, connection: Connection) -> None:
    """The walk sees the objects all the same, and reads them under their ETags."""
    _put(versioned, "a", b"first")
    place = [f"arn:aws:s3:::{versioned.name}"]
    actions = ["s3:ListBucketVersions", "s3:GetBucketVersioning"]
    statement = {"Effect": "Deny", "Principal": "*", "Action": actions, "Resource": place}
    versioned.put_bucket_policy(Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    source = _source(versioned, connection)
    found = _only(source)
    assert b"version_id" not in found.line
    assert _read(source.open(found)) == b"first"


def test_an_object_that_may_not_be_read(bucket: RawBucket, connection: Connection) -> None:
    """It alone is unreadable, the others are read."""
    for key in ("closed", "open"):
        _put(bucket, key, b"x")
    place = [f"arn:aws:s3:::{bucket.name}/up/closed"]
    actions = ["s3:GetObject", "s3:GetObjectVersion"]
    statement = {"Effect": "Deny", "Principal": "*", "Action": actions, "Resource": place}
    bucket.put_bucket_policy(Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    source = _source(bucket, connection)
    closed, readable = source.scan()
    with pytest.raises(Unreadable, match="AccessDenied"):
        _read(source.open(closed))
    assert _read(source.open(readable)) == b"x"


def test_parts_of_an_object_by_many_threads(bucket: RawBucket, connection: Connection) -> None:
    """Any range, in pieces of at most 1 MiB, from one source."""
    content = b"".join(number.to_bytes(4, "big") for number in range(3 * MIB // 4))
    _put(bucket, "large", content)
    source = _source(bucket, connection)
    found = _only(source)
    assert all(len(piece) <= MIB for piece in source.open(found).pieces(0, found.size))

    def part(number: int) -> bool:
        offset, length = number * 77_777, 100_000 + number
        return _read(source.open(found), offset, length) == content[offset : offset + length]

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(part, range(40)))


def test_memory_stays_the_same_for_large_objects(raw_bucket: RawBucket, connection: Connection) -> None:
    """96 MiB are read within much less."""
    _put(raw_bucket, "large", bytes(96 * MIB))
    source = _source(raw_bucket, connection)
    found = _only(source)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert sum(len(piece) for piece in source.open(found).pieces(0, found.size)) == 96 * MIB
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 * 1024


@pytest.fixture
def proxy(seaweed: SeaweedFS) -> Iterator[TcpProxy]:
    """A way to the server that can be cut."""
    with TcpProxy(seaweed.port) as made:
        yield made


def _through(proxy: TcpProxy, connection: Connection) -> Connection:
    return replace(connection, extra={**connection.extra, "endpoint_url": f"http://127.0.0.1:{proxy.port}"})


def test_a_cut_is_taken_up_where_it_was(bucket: RawBucket, connection: Connection, proxy: TcpProxy) -> None:
    """The bytes are whole although the connection was cut amid the answer, twice."""
    content = b"".join(number.to_bytes(4, "big") for number in range(5 * MIB // 4))
    _put(bucket, "large", content)
    source = _source(bucket, _through(proxy, connection))
    found = _only(source)
    proxy.cut_answer(b"GET /" + bucket.name.encode() + b"/up/large", 2 * MIB, times=2)
    assert _read(source.open(found)) == content
    assert proxy.lost_answers == 2


def test_lost_answers_are_asked_for_again(bucket: RawBucket, connection: Connection, proxy: TcpProxy) -> None:
    """The walk lives on when single answers are lost."""
    for key in KEYS[:4]:
        _put(bucket, key, b"x")
    source = _source(bucket, _through(proxy, connection))
    proxy.lose_answer(b"list-type=2", times=2)
    assert len(list(source.scan())) == 4
    assert proxy.lost_answers == 2


def test_a_bucket_that_is_not_there(connection: Connection) -> None:
    """Or cannot be listed: the source is unavailable, not empty."""
    with pytest.raises(SourceUnavailable, match="NoSuchBucket") as caught:
        list(open_bucket_source("s3://no-such-bucket/up", connection).scan())
    assert "media.source" in str(caught.value.hint)


def test_credentials_that_are_not_known(bucket: RawBucket, connection: Connection) -> None:
    """Named by the server's code, never shown."""
    wrong = replace(connection, login="somebody", password="canary-secret")
    with pytest.raises(SourceUnavailable, match="InvalidAccessKeyId") as caught:
        list(_source(bucket, wrong).scan())
    assert "canary" not in str(caught.value)


def test_a_server_that_is_down(bucket: RawBucket, connection: Connection, proxy: TcpProxy) -> None:
    """After some tries, in an error that may be tried again."""
    proxy.close()
    with pytest.raises(SourceUnavailable):
        list(_source(bucket, _through(proxy, connection)).scan())
