"""What every store must do; each kind of store runs these same tests."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.errors import HoldfastError, ObjectExists, ObjectMissing, StoreError, UsageError
from holdfast.storage.names import is_part
from holdfast.storage.protocol import Store, StoredObject

MIB = 1 << 20
LARGE = 20 * MIB
BAD_KEYS = (
    *("", "/", "/a", "a/", "a//b", "..", "../a", "a/../b", "./a", "a/.", ".a", "a/.b", "a.", "a./b"),
    *("a b", "a\\b", "a\nb", "a\0b", "ä", "a%2Fb", "a?b", "a#b", "a:b", "a" * 201, "/".join(["a" * 100] * 10)),
)

_numbers = itertools.count(1)
_part = st.from_regex(r"[A-Za-z0-9_]([A-Za-z0-9._=-]{0,20}[A-Za-z0-9_=-])?", fullmatch=True)
_path = st.lists(st.text("aZ0.-_", min_size=1, max_size=3).filter(is_part), min_size=1, max_size=3).map("/".join)
_slow_ok = settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


class ProducerError(Exception):
    """What a producer of bytes may raise."""


def large_pieces(fill: bytes = b"", size_bytes: int = LARGE) -> Iterator[bytes]:
    """Pieces of uneven sizes, none like another, ``size_bytes`` in all."""
    for number in itertools.count():
        piece = (fill + number.to_bytes(8, "big")) * 40_000
        if size_bytes <= len(piece):
            yield piece[:size_bytes]
            return
        size_bytes -= len(piece)
        yield piece


def keys_of(store: Store, prefix: str = "") -> list[str]:
    """The keys below a prefix, in the order of the list."""
    return [found.key for found in store.list(prefix)]


class StoreContract:
    """Subclasses provide the fixture ``store``: an empty store."""

    @given(pieces=st.lists(st.binary(max_size=300), max_size=8), parts=st.lists(_part, min_size=1, max_size=4))
    @_slow_ok
    def test_what_is_put_comes_back(self, store: Store, pieces: list[bytes], parts: list[str]) -> None:
        """Any key and any cut into pieces, empty ones included, give the same bytes back in every way of reading."""
        key = "/".join([f"example-{next(_numbers)}", *parts])
        content = b"".join(pieces)
        assert store.put(key, iter(pieces)) == len(content)
        assert store.get(key) == content
        assert b"".join(store.stream(key)) == content
        assert store.head(key).size_bytes == len(content)
        assert keys_of(store, key.rpartition("/")[0] + "/") == [key]

    @given(offset=st.integers(0, 120), length=st.integers(0, 120))
    @_slow_ok
    def test_read_range_is_a_slice(self, store: Store, offset: int, length: int) -> None:
        """A range gives what is there of it, nothing past the end."""
        content = bytes(range(100))
        key = f"ranges/{next(_numbers)}"
        store.put(key, [content])
        assert store.read_range(key, offset, length) == content[offset : offset + length]

    def test_an_empty_object(self, store: Store) -> None:
        """No bytes at all are an object too."""
        assert store.put("empty", []) == 0
        assert store.get("empty") == b""
        assert list(store.stream("empty")) == []
        assert store.read_range("empty", 0, 10) == b""
        assert store.head("empty").size_bytes == 0

    @pytest.mark.parametrize("hint", [None, LARGE, 10 * LARGE, LARGE // 4])
    def test_a_large_object(self, store: Store, hint: int | None) -> None:
        """Many parts are put together in order, whatever the estimate was."""
        expected = b"".join(large_pieces())
        assert store.put("a/large.dump", large_pieces(), size_hint_bytes=hint) == LARGE
        assert b"".join(store.stream("a/large.dump")) == expected
        assert store.read_range("a/large.dump", LARGE - 5, 100) == expected[-5:]
        assert store.read_range("a/large.dump", 8 * MIB - 3, 6) == expected[8 * MIB - 3 : 8 * MIB + 3]
        assert keys_of(store) == ["a/large.dump"]

    @pytest.mark.parametrize("size_bytes", [8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 16 * MIB])
    def test_sizes_around_one_part(self, store: Store, size_bytes: int) -> None:
        """The border between one request and several loses no byte."""
        assert store.put("border", large_pieces(size_bytes=size_bytes)) == size_bytes
        assert b"".join(store.stream("border")) == b"".join(large_pieces(size_bytes=size_bytes))

    def test_facts_of_an_object(self, store: Store) -> None:
        """Head and list agree; the time is aware and recent."""
        store.put("a/b/c.json", [b"12345"])
        found = store.head("a/b/c.json")
        assert found == StoredObject("a/b/c.json", 5, found.modified_at)
        assert list(store.list("a/")) == [found]
        assert abs(datetime.now(UTC) - found.modified_at) < timedelta(minutes=5)

    @pytest.mark.parametrize("size_bytes", [10, LARGE])
    def test_put_never_overwrites(self, store: Store, size_bytes: int) -> None:
        """A taken key is refused before the first byte is asked for, and keeps what it had."""
        store.put("taken", large_pieces(b"first", size_bytes))
        asked = []

        def pieces() -> Iterator[bytes]:
            asked.append(True)
            yield b"second"

        with pytest.raises(ObjectExists, match=r"taken exists already"):
            store.put("taken", pieces())
        assert not asked
        assert b"".join(store.stream("taken")) == b"".join(large_pieces(b"first", size_bytes))

    @pytest.mark.parametrize("size_bytes", [10, LARGE])
    def test_put_does_not_overwrite_what_came_meanwhile(self, store: Store, size_bytes: int) -> None:
        """The key is looked at again when all bytes have come."""

        def pieces() -> Iterator[bytes]:
            yield from large_pieces(b"late", size_bytes)
            store.put("contended", [b"first"])

        with pytest.raises(ObjectExists, match="contended"):
            store.put("contended", pieces())
        assert store.get("contended") == b"first"
        assert keys_of(store) == ["contended"]

    @pytest.mark.parametrize("sizes", [(10,) * 4, (LARGE,) * 3, (10, LARGE, 10, LARGE), (8 * MIB, 8 * MIB + 1)])
    def test_of_puts_at_once_one_wins(self, store: Store, sizes: tuple[int, ...]) -> None:
        """Whatever their sizes, exactly one succeeds, the others are told, and its bytes are stored."""
        for round_ in range(3):
            key = f"race/{round_}"
            winners = _race(store, key, sizes)
            assert len(winners) == 1, f"winners: {winners}"
            stored = b"".join(store.stream(key))
            assert stored == b"".join(large_pieces(b"%d" % winners[0], sizes[winners[0]]))
        assert keys_of(store) == [f"race/{round_}" for round_ in range(3)]

    @pytest.mark.parametrize("given_bytes", [0, 10, LARGE])
    @pytest.mark.parametrize("failure", [ProducerError("no"), OSError(28, "not the store's"), KeyboardInterrupt()])
    def test_a_failing_producer_leaves_nothing(self, store: Store, failure: BaseException, given_bytes: int) -> None:
        """Its very exception comes through, unchanged and unchained, and no object appears."""
        cause = ValueError("the cause")
        failure.__cause__ = cause

        def pieces() -> Iterator[bytes]:
            yield from large_pieces(size_bytes=given_bytes)
            raise failure

        with pytest.raises(type(failure)) as caught:
            store.put("a/b/broken", pieces())
        assert caught.value is failure
        assert failure.__cause__ is cause
        assert failure.__context__ is None or failure.__context__ is cause
        assert keys_of(store) == []
        with pytest.raises(ObjectMissing):
            store.head("a/b/broken")
        assert store.put("a/b/broken", [b"next time"]) == 9

    def test_a_refused_put_ends_its_producer(self, store: Store) -> None:
        """The generator is closed, so that the program that feeds it is ended and not left to the collector."""
        ended = []

        def pieces() -> Iterator[bytes]:
            try:
                yield from large_pieces()
                store.put("contended", [b"first"])
                yield b"more"
            finally:
                ended.append(True)

        kept = pieces()
        with pytest.raises(ObjectExists):
            store.put("contended", kept)
        assert ended

    def test_a_producer_may_read_from_the_store(self, store: Store) -> None:
        """An object can be made from another of the same store."""
        store.put("from", large_pieces())

        def pieces() -> Iterator[bytes]:
            yield store.get("from")[:10]
            yield from store.stream("from")

        store.put("to", pieces())
        assert store.head("to").size_bytes == LARGE + 10

    def test_what_is_missing_is_named(self, store: Store) -> None:
        """Each way to read tells store and key; the stream before its first piece."""
        store.put("there/is/one", [b"x"])
        readings: list[Callable[[str], object]] = [
            store.get,
            store.head,
            lambda key: next(store.stream(key)),
            lambda key: store.read_range(key, 0, 1),
            lambda key: store.read_range(key, 0, 0),
        ]
        for key in ("absent", "there/is", "there/is/none", "not/there/either"):
            for read in readings:
                with pytest.raises(ObjectMissing) as caught:
                    read(key)
                assert caught.value.message == f"store {store.url}: {key} does not exist"

    def test_list_is_in_key_order(self, store: Store) -> None:
        """The order is that of the keys' text, folders or not, and a prefix takes whole folders only."""
        keys = ["a/x", "a/y/z", "a-b/x", "a.b", "a0", "A/x", "aa/x", "a=/x", "a/y-/z", "a/y.z", "b"]
        for key in keys:
            store.put(key, [key.encode()])
        assert keys_of(store) == sorted(keys)
        assert keys_of(store, "a/") == ["a/x", "a/y-/z", "a/y.z", "a/y/z"]
        assert keys_of(store, "a/y/") == ["a/y/z"]
        assert keys_of(store, "absent/") == keys_of(store, "b/") == []

    def test_list_after_a_key(self, store: Store) -> None:
        """Only what sorts behind it, whether it stands there or not, and wherever folders and objects mix."""
        keys = ["a/x", "a/y/z", "a-b/x", "a.b", "a0", "A/x", "aa/x", "a=/x", "a/y-/z", "a/y.z", "b"]
        for key in keys:
            store.put(key, [b"x"])
        afters = {*keys, "", "0", "a", "a/", "a-", "a/y", "a/y/", "a/y-", "a-b/", "c", "z/z", "A/y", "a/x/y"}
        for after in sorted(afters):
            found = [each.key for each in store.list("", after=after)]
            assert found == sorted(key for key in keys if key > after), after
            found = [each.key for each in store.list("a/", after=after)]
            assert found == sorted(key for key in keys if key.startswith("a/") and key > after), after

    @given(names=st.lists(_path, min_size=1, max_size=6, unique=True), after=_path)
    @_slow_ok
    def test_list_after_any_key(self, store: Store, names: list[str], after: str) -> None:
        """No name leads a server to leave out what sorts behind it."""
        prefix = f"after-{next(_numbers)}/"
        for name in names:
            with suppress(StoreError, ObjectExists):  # a folder of that name may stand in its place
                store.put(prefix + name, [b"x"])
        stored = keys_of(store, prefix)
        assert [each.key for each in store.list(prefix, after=prefix + after)] == [
            key for key in stored if key > prefix + after
        ]

    def test_folders(self, store: Store) -> None:
        """The names right below a prefix, objects there not among them, in the order of the names."""
        for key in ("a/x", "a/y/z", "a-b/x", "a.b", "aa/x/y", "b/c"):
            store.put(key, [b"x"])
        assert store.folders("") == ["a", "a-b", "aa", "b"]
        assert store.folders("a/") == ["y"]
        assert store.folders("aa/") == ["x"]
        assert store.folders("a-b/") == store.folders("absent/") == store.folders("a.b/") == []
        with pytest.raises(UsageError, match="slash"):
            store.folders("a")

    def test_list_goes_on_after_a_thousand(self, store: Store) -> None:
        """More keys than one answer of a server holds."""
        keys = [f"many/{number:05}/x" for number in range(1050)]
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda key: store.put(key, [b"1"]), keys))
        assert keys_of(store, "many/") == keys
        assert store.folders("many/") == [key.split("/")[1] for key in keys]
        assert [found.key for found in store.list("many/", after=keys[20])] == keys[21:]

    def test_deleting(self, store: Store) -> None:
        """What is deleted is gone, its neighbours are not, and twice is no error."""
        store.put("a/b/one", [b"1"])
        store.put("a/b/two", [b"2"])
        store.delete("a/b/one")
        store.delete("a/b/one")
        store.delete("never/was")
        assert keys_of(store) == ["a/b/two"]
        store.delete("a/b/two")
        assert keys_of(store) == []
        assert store.put("a/b/one", [b"again"]) == 5

    def test_a_new_store_is_empty(self, store: Store) -> None:
        """Nothing needs to be made before the first question."""
        assert keys_of(store) == keys_of(store, "a/b/") == []
        store.delete("a/b")
        with pytest.raises(ObjectMissing):
            store.get("a/b")

    @pytest.mark.parametrize("key", BAD_KEYS)
    def test_bad_keys_are_refused(self, store: Store, key: str) -> None:
        """No name that could lead elsewhere, or mean something else in another store, by any way."""
        doings: list[Callable[[], object]] = [
            lambda: store.put(key, [b"x"]),
            lambda: store.get(key),
            lambda: next(store.stream(key)),
            lambda: store.read_range(key, 0, 1),
            lambda: store.head(key),
            lambda: store.delete(key),
            lambda: keys_of(store, f"{key}/"),
            lambda: store.folders(f"{key}/"),
        ]
        for do in doings:
            with pytest.raises(UsageError):
                do()
        assert keys_of(store) == []

    def test_a_prefix_needs_its_slash(self, store: Store) -> None:
        """Half a name is no prefix."""
        with pytest.raises(UsageError, match="slash"):
            keys_of(store, "a")


def _race(store: Store, key: str, sizes: tuple[int, ...]) -> list[int]:
    """Put objects of all sizes at once under one key; the numbers of those that were told they succeeded."""
    barrier = threading.Barrier(len(sizes))
    winners: list[int] = []
    failures: list[BaseException] = []

    def pieces(number: int) -> Iterator[bytes]:
        yield from large_pieces(b"%d" % number, sizes[number])
        barrier.wait()

    def run(number: int) -> None:
        try:
            store.put(key, pieces(number))
            winners.append(number)
        except HoldfastError as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(sizes))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(failures) == len(sizes) - len(winners)
    assert all(type(failure) is ObjectExists for failure in failures), failures
    return winners
