"""Keys that S3 can hold and no server here stores: told as they are, and asked for as they are."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote, unquote

from hypothesis import given
from hypothesis import strategies as st

from fake_s3 import Answer, Asked, FakeS3, refusal
from holdfast.media.bucket_listing import in_order
from holdfast.media.bucket_source import open_bucket_source

KEYS = ("../x", "a/../y", "./z", "a/./q", "a//b", "/lead", "tail//", "..", "a\\b", "a\x01b", "%2e%2e/x", " ", "a+b c")


def _listing(keys: Iterable[str]) -> bytes:
    entries = "".join(
        f"<Contents><Key>{quote('up/' + key)}</Key><Size>{len(key.encode())}</Size><ETag>&quot;1&quot;</ETag>"
        "<LastModified>2026-11-22T02:00:00.000Z</LastModified></Contents>"
        for key in keys
    )
    return f"<ListBucketResult><EncodingType>url</EncodingType>{entries}</ListBucketResult>".encode()


def _bucket(asked: Asked) -> Answer:
    """Lists all keys; an object's content is its key, taken from the path without any tidying."""
    if "list-type=2" in asked.query:
        return 200, _listing(sorted(KEYS, key=str.encode))
    if asked.path.startswith("/media/up/"):
        return 200, unquote(asked.path.removeprefix("/media/up/")).encode()
    return refusal(501, "NotImplemented")


def test_odd_keys_are_faithful() -> None:
    """Dots and double slashes are part of a key's name, no way to go."""
    with FakeS3(_bucket) as fake:
        source = open_bucket_source("s3://media/up", fake.connection("media"))
        walk = list(source.scan())
        assert [found.path for found in walk] == sorted(key.encode() for key in KEYS)
        assert {found.kind for found in walk} == {"file"}
        for found in walk:
            assert b"".join(source.open(found).pieces(0, found.size)) == found.path


@given(keys=st.sets(st.text(st.sampled_from("ab-./ 0"), min_size=1, max_size=6), max_size=40))
def test_any_order_of_folders_becomes_bytewise(keys: set[str]) -> None:
    """From a server that sorts names within folders, and from one that sorts keys."""
    by_folder = sorted(f"up/{key}" for key in keys)
    by_folder.sort(key=lambda key: [part.encode() for part in key.split("/")])
    by_key = sorted(f"up/{key}".encode() for key in keys)
    for given_order in ([key.encode() for key in by_folder], by_key):
        packed = [key + b"\x001\x002\x00etag" for key in given_order]
        assert [record.partition(b"\0")[0] for record in in_order(packed, b"up/")] == by_key
