"""An S3 store that is away, refuses, loses connections or answers: loud, bounded in time, and nothing appears."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from holdfast.errors import ObjectExists, ObjectMissing, StoreError, StoreRefused
from holdfast.storage.objects import ObjectStore
from holdfast.storage.opening import open_store
from holdfast.storage.protocol import Store
from holdfast.values.connection import Connection
from holdfast_embedded.seaweedfs import SeaweedFS
from store_contract import LARGE, keys_of, large_pieces
from tcp_proxy import TcpProxy

CANARY = "canary5ecretKeyThatNobodyMayRead"


@pytest.fixture
def proxy(seaweed: SeaweedFS) -> Iterator[TcpProxy]:
    with TcpProxy(seaweed.port) as proxy:
        yield proxy


@pytest.fixture
def proxied(s3_store: Store, seaweed: SeaweedFS, proxy: TcpProxy) -> Store:
    """The same store as ``s3_store``, by way of the proxy."""
    return open_store(s3_store.url, connection_to(seaweed, proxy.port))


def connection_to(seaweed: SeaweedFS, port: int) -> Connection:
    """The server's connection, at another port."""
    extra = {"endpoint_url": f"http://127.0.0.1:{port}", "region_name": "us-east-1"}
    return replace(seaweed.connection("faulty"), extra=extra)


def every_use(store: Store) -> list[Callable[[], object]]:
    """Each operation once."""
    return [
        lambda: store.put("a/b", [b"x"]),
        lambda: store.put("a/b", large_pieces()),
        lambda: store.get("a/b"),
        lambda: list(store.stream("a/b")),
        lambda: store.read_range("a/b", 0, 1),
        lambda: store.head("a/b"),
        lambda: keys_of(store, "a/"),
        lambda: store.delete("a/b"),
    ]


@pytest.mark.parametrize(
    ("login", "password", "reason", "hint"),
    [
        (None, CANARY, "403 SignatureDoesNotMatch", "Check the secret key"),
        ("HFUNKNOWN", None, "403 InvalidAccessKeyId", "Check the access key"),
    ],
)
def test_wrong_keys(
    seaweed: SeaweedFS, bucket: str, login: str | None, password: str | None, reason: str, hint: str
) -> None:
    """Every operation says what the store answered and which field to mend, and shows no secret."""
    right = seaweed.connection("wrong")
    wrong = replace(right, login=login or right.login, password=password or right.password)
    for use in every_use(open_store(f"s3://{bucket}/wrong", wrong)):
        with pytest.raises(StoreRefused, match=rf"store s3://{bucket}/wrong: cannot .*{reason}") as caught:
            use()
        assert caught.value.hint is not None
        assert caught.value.hint.startswith(hint)
        shown = f"{caught.value!r} {caught.value.__cause__!r}"
        assert str(wrong.password) not in shown


def test_a_missing_bucket(seaweed: SeaweedFS) -> None:
    """It is not made in passing, and not taken for a missing object."""
    for use in every_use(open_store("s3://no-such-bucket/x", seaweed.connection("x"))):
        try:
            use()
        except StoreRefused as error:
            assert "NoSuchBucket" in error.message
            assert error.hint == "Create the bucket, or correct the store's url in the policy."
        else:
            assert use is not None  # deleting what is not there is no error, bucket or not
    with pytest.raises(StoreRefused, match="NoSuchBucket"):
        keys_of(open_store("s3://no-such-bucket/x", seaweed.connection("x")))


def test_an_endpoint_that_is_down(seaweed: SeaweedFS) -> None:
    """Given up within half a minute, before the producer is asked for anything."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    asked = []

    def pieces() -> Iterator[bytes]:
        asked.append(True)
        yield b"x"

    store = open_store("s3://any-bucket/x", connection_to(seaweed, port))
    begun = time.monotonic()
    with pytest.raises(StoreError, match=r"store s3://any-bucket/x: cannot write a/b: connection refused") as caught:
        store.put("a/b", pieces())
    assert time.monotonic() - begun < 30
    assert caught.value.hint == "Check that the store runs, and endpoint_url in the extra of its connection."
    assert not asked


def test_an_endpoint_that_never_answers(seaweed: SeaweedFS) -> None:
    """Something listens but says nothing: given up in bounded time too."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        store = open_store("s3://any-bucket/x", connection_to(seaweed, server.getsockname()[1]))
        begun = time.monotonic()
        with pytest.raises(StoreError, match="cannot read a/b: no answer in time"):
            store.get("a/b")
        assert time.monotonic() - begun < 60


def test_a_host_that_does_not_exist(seaweed: SeaweedFS) -> None:
    """The name is what is wrong."""
    extra = {"endpoint_url": "http://store.invalid:8333"}
    store = open_store("s3://any-bucket/x", replace(seaweed.connection("x"), extra=extra))
    with pytest.raises(StoreError, match="its host name cannot be resolved"):
        store.head("a/b")


def test_a_connection_cut_for_good(s3_store: Store, proxied: Store, proxy: TcpProxy) -> None:
    """Amid an upload the network goes away: the upload fails, and no object appears, then or later."""
    proxy.cut_after(LARGE // 2)
    begun = time.monotonic()
    with pytest.raises(StoreError, match="cannot write a/large"):
        proxied.put("a/large", large_pieces(size_bytes=5 * LARGE))
    assert time.monotonic() - begun < 60
    proxy.restore()
    with pytest.raises(ObjectMissing):
        s3_store.head("a/large")
    assert keys_of(s3_store) == []
    assert proxied.put("a/large", large_pieces()) == LARGE


def test_a_connection_cut_for_a_moment(s3_store: Store, proxied: Store, proxy: TcpProxy) -> None:
    """The lost parts are sent again, and the object is whole."""
    proxy.cut_after(LARGE // 2)

    def pieces() -> Iterator[bytes]:
        for number, piece in enumerate(large_pieces(size_bytes=3 * LARGE)):
            if number == 3 * LARGE // len(piece) // 2:
                proxy.restore()
            yield piece

    restorer = threading.Timer(3, proxy.restore)
    restorer.start()
    assert proxied.put("a/large", pieces()) == 3 * LARGE
    restorer.join()
    assert b"".join(s3_store.stream("a/large")) == b"".join(large_pieces(size_bytes=3 * LARGE))


def test_a_connection_cut_amid_a_read(s3_store: Store, proxied: Store, proxy: TcpProxy) -> None:
    """The rest is asked for again; no byte is lost or doubled."""
    s3_store.put("a/large", large_pieces())
    stream = proxied.stream("a/large")
    first = next(stream)
    proxy.cut_after(0)
    restorer = threading.Timer(2, proxy.restore)
    restorer.start()
    assert first + b"".join(stream) == b"".join(large_pieces())
    restorer.join()


@pytest.mark.parametrize("size_bytes", [10, LARGE])
@pytest.mark.parametrize(
    ("small", "large"),
    [(b"PUT /{path}/a/b ", b"POST /{path}/a/b?uploadId="), (b"PUT /{path}/a/b ", b"PUT /{path}/a/b.claim ")],
)
def test_a_lost_answer_is_no_false_alarm(
    s3_store: Store, proxied: Store, proxy: TcpProxy, size_bytes: int, small: bytes, large: bytes
) -> None:
    """The store did it, the answer was lost, the retry meets our own object: that is success."""
    path = s3_store.url.removeprefix("s3://").encode()
    proxy.lose_answer((small if size_bytes == 10 else large).replace(b"{path}", path))
    assert proxied.put("a/b", large_pieces(b"mine", size_bytes)) == size_bytes
    assert proxy.lost_answers == 1
    assert b"".join(s3_store.stream("a/b")) == b"".join(large_pieces(b"mine", size_bytes))
    assert keys_of(s3_store) == ["a/b"]


def test_a_lost_answer_does_not_hide_another_writer(s3_store: Store, proxied: Store, proxy: TcpProxy) -> None:
    """Somebody else's object is not taken for ours, even where answers get lost."""
    path = s3_store.url.removeprefix("s3://").encode()
    proxy.lose_answer(b"PUT /" + path + b"/a/b ")

    def pieces() -> Iterator[bytes]:
        yield b"second"
        s3_store.put("a/b", [b"first"])

    with pytest.raises(ObjectExists):
        proxied.put("a/b", pieces())
    assert s3_store.get("a/b") == b"first"


def with_lease(store: Store, lease_s: float) -> ObjectStore:
    """The same store, less patient with the claims of others."""
    assert isinstance(store, ObjectStore)
    return ObjectStore(store._backend, lease_s=lease_s)


def test_the_claim_of_a_dead_writer_lapses(s3_store: Store) -> None:
    """Killed between its claim and its completion, a writer does not block the key for ever."""
    s3_store.put("a/b.claim", [b"of a writer that was killed"])
    begun = time.monotonic()
    assert with_lease(s3_store, 2).put("a/b", large_pieces()) == LARGE
    assert time.monotonic() - begun > 2
    assert keys_of(s3_store) == ["a/b"]


def test_of_heirs_of_a_claim_one_wins(s3_store: Store) -> None:
    """Several that wait for the same dead writer do not overwrite one another."""
    s3_store.put("a/b.claim", [b"of a writer that was killed"])
    outcomes: list[str] = []

    def run(fill: bytes) -> None:
        try:
            with_lease(s3_store, 2).put("a/b", large_pieces(fill))
            outcomes.append(fill.decode())
        except ObjectExists:
            outcomes.append("refused")

    threads = [threading.Thread(target=run, args=(b"writer %d" % number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [outcome for outcome in outcomes if outcome != "refused"]
    assert len(winners) == 1
    assert b"".join(s3_store.stream("a/b")) == b"".join(large_pieces(winners[0].encode()))
    assert keys_of(s3_store) == ["a/b"]


def test_a_small_put_waits_for_a_claim(s3_store: Store) -> None:
    """While a large upload may be completing over it, a small object is not yet called stored."""
    s3_store.put("a/b.claim", [b"of a writer that is about to complete"])
    releaser = threading.Timer(1.5, lambda: s3_store.delete("a/b.claim"))
    releaser.start()
    begun = time.monotonic()
    s3_store.put("a/b", [b"small"])
    assert time.monotonic() - begun > 1
    releaser.join()


def test_interrupting_an_upload_that_hangs(proxied: Store, seaweed: SeaweedFS) -> None:
    """Ctrl-C is heard although the network says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        hanging = open_store("s3://any-bucket/x", connection_to(seaweed, server.getsockname()[1]))
        assert isinstance(hanging, ObjectStore)
        assert isinstance(proxied, ObjectStore)
        mixed = ObjectStore(replace(proxied._backend, patient=hanging._backend.patient))
        asked: list[float] = []

        def pieces() -> Iterator[bytes]:
            for piece in large_pieces(size_bytes=10 * LARGE):
                asked.append(time.monotonic())
                yield piece

        timer = threading.Timer(2, lambda: signal_main(asked))
        timer.start()
        begun = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            mixed.put("a/b", pieces())
        assert time.monotonic() - begun < 45


def signal_main(asked: list[float]) -> None:
    """What Ctrl-C does."""
    import os
    import signal

    assert asked
    os.kill(os.getpid(), signal.SIGINT)
