"""The pure parts of the object store: sizes of parts, order of lists, reading ahead, reasons of failures."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.storage.answers import Answer
from holdfast.storage.key_order import in_key_order
from holdfast.storage.parts import plan_parts
from holdfast.storage.pieces import joined
from holdfast.storage.protocol import StoredObject
from holdfast.storage.read_ahead import read_ahead

MIB = 1 << 20
GIB = 1 << 30
NOW = datetime.now(UTC)
_keys = st.lists(
    st.lists(st.text("a-.0/=z", min_size=1, max_size=3).filter(lambda part: "/" not in part), min_size=1, max_size=4),
    max_size=30,
)


@given(st.one_of(st.none(), st.integers(0, 5 << 40)))
def test_every_size_fits_into_its_parts(hint: int | None) -> None:
    """Fewer than 10,000 parts, none under S3's least, all in memory at once within bounds."""
    plan = plan_parts(hint)
    assert plan.part_bytes >= 8 * MIB
    assert (100 * GIB if hint is None else hint) / plan.part_bytes < 9_600
    assert plan.at_once >= 1
    if (hint or 0) < 700 * GIB:
        assert plan.part_bytes * plan.at_once <= 80 * MIB


def test_usual_sizes_go_in_small_parts() -> None:
    """Several at once, since the network wants that."""
    assert plan_parts(GIB).part_bytes == 8 * MIB
    assert plan_parts(GIB).at_once == 6


@given(_keys, st.booleans())
def test_lists_come_in_key_order(names: list[list[str]], is_tree: bool) -> None:
    """Whether the server lists by key or folder by folder."""
    keys = {"/".join(["root", *parts]) for parts in names}
    # No name is both an object and a folder.
    keys = {key for key in keys if not any(other.startswith(key + "/") for other in keys)}
    listed = sorted(keys, key=(lambda key: key.split("/")) if is_tree else None)
    found = [each.key for each in in_key_order((StoredObject(key, 0, NOW) for key in listed), "root/")]
    assert found == sorted(keys)


def test_a_list_is_not_held_back_longer_than_needed() -> None:
    """Restore points pass as they come: a store of many years needs no more memory than one of a day."""
    taken = []

    def listed() -> object:
        for number in range(100):
            taken.append(number)
            for name in ("a", "b"):
                yield StoredObject(f"p/{number:03}/{name}", 0, NOW)

    order = in_key_order(listed(), "p/")  # type: ignore[arg-type]
    assert next(order).key == "p/000/a"
    assert taken == [0, 1]


@pytest.mark.parametrize("size_bytes", [0, 1, 4 * MIB, 4 * MIB + 1, 30 * MIB])
def test_reading_ahead_gives_all_in_order(size_bytes: int) -> None:
    """And never has more than three ranges in memory."""
    asked: list[int] = []
    given_out = 0

    def fetch(offset: int, length: int) -> bytes:
        asked.append(offset)
        assert offset - given_out <= 3 * 4 * MIB
        return bytes([offset // (4 * MIB)]) * length

    for piece in read_ahead(fetch, size_bytes):
        assert piece[0] == given_out // (4 * MIB)
        given_out += len(piece)
    assert given_out == size_bytes


def test_reading_ahead_stops_with_its_reader() -> None:
    """A reader that leaves early costs no further requests."""
    asked: list[int] = []

    def fetch(offset: int, length: int) -> bytes:
        asked.append(offset)
        return b"x" * length

    stream = read_ahead(fetch, 1 << 40)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert len(asked) <= 4


@given(st.lists(st.binary(max_size=50), max_size=50))
def test_joined_pieces_are_the_same_bytes(pieces: list[bytes]) -> None:
    """And none is empty."""
    made = list(joined(piece * 20_000 for piece in pieces))
    assert b"".join(made) == b"".join(piece * 20_000 for piece in pieces)
    assert all(made)


@pytest.mark.parametrize(
    ("text", "status", "reason"),
    [
        ("inner: Status { status: 403, body: None }", 403, "the store answered 403"),
        (
            "status code: 403 Forbidden: <Error><Code>AccessDenied</Code><Message>Not for\n you.</Message></Error>",
            403,
            "the store answered 403 AccessDenied: Not for you",
        ),
        (
            "status code: 404: <Code>ContainerNotFound</Code><Message>It is not there.\nRequestId:1-2</Message>",
            404,
            "the store answered 404 ContainerNotFound: It is not there",
        ),
        ("kind: ConnectionRefused, message: ...", None, "connection refused"),
        ("error sending request for url (https://h/c?sig=canary)", None, "the request failed (Exception)"),
        ("dns error: failed to lookup address", None, "its host name cannot be resolved"),
    ],
)
def test_reasons_of_failures(text: str, status: int | None, reason: str) -> None:
    """Status, code and message of the store, or what kept us from reaching it; nothing else of the text."""
    answer = Answer.of(Exception(text))
    assert (answer.status, answer.reason) == (status, reason)
    assert answer.hint is not None
