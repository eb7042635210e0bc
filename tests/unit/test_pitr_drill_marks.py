"""Which marker a recovery to an instant must find."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from fix_environment import MakeSite
from holdfast.catalog.wal import WalPiece
from holdfast.drill.pitr.marks import around, expected_marks
from holdfast.environment import Environment
from holdfast.manifest.pitr import PitrMark
from holdfast.manifest.wal import WalMark, WalRecord
from holdfast.values.lsn import Lsn
from holdfast.values.wal_names import WalSegment
from pitr_evidence import tried

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MIB = 1 << 20
SYSTEM = "7430000000000000001"


def _mark(number: int | None, second: float, *, lsn: int = 0, took_s: float = 0.5) -> WalMark:
    at = NOON + timedelta(seconds=second)
    return WalMark(number=number, at=at, seen_at=at + timedelta(seconds=took_s), lsn=str(Lsn(lsn)))


def _numbers(marks: list[WalMark], second: float) -> tuple[int | None, int | None]:
    found = around(marks, NOON + timedelta(seconds=second))
    return (
        found.surely.number if found.surely is not None else None,
        found.too_late.number if found.too_late is not None else None,
    )


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        (-1, (None, 1)),
        # It may or may not have committed by then.
        (0.2, (None, 2)),
        (0.5, (1, 2)),
        (9, (1, 2)),
        (10.2, (1, 3)),
        (10.6, (2, 3)),
        (99, (3, None)),
    ],
)
def test_a_marker_that_was_being_written_may_be_there_or_not(
    second: float, expected: tuple[int | None, int | None]
) -> None:
    """Before its transaction began it is not there, after it was seen it is."""
    marks = [_mark(1, 0), _mark(2, 10), _mark(3, 20)]

    assert _numbers(marks, second) == expected


def test_marks_without_a_number_are_passed_over() -> None:
    """Where the role may not write, nothing can be found."""
    assert _numbers([_mark(None, 0), _mark(7, 10), _mark(None, 20)], 25) == (7, None)


def test_a_setting_that_was_reset_sets_no_upper_limit() -> None:
    """It counts from 1 again: that the next one has a smaller number says nothing."""
    assert _numbers([_mark(41, 0), _mark(1, 10)], 5) == (41, None)


def _expected(first: int | None, behind: int | None) -> dict[str, PitrMark | None]:
    made = [None if number is None else PitrMark(number=number, at=NOON, seen_at=NOON) for number in (first, behind)]
    return {"marker": made[0], "next_marker": made[1]}


@pytest.mark.parametrize(
    ("expected", "found", "is_accepted"),
    [
        ((41, 42), 41, True),
        ((41, 42), 40, False),
        ((41, 42), 42, False),
        ((41, 42), None, False),
        # Another environment of the same cluster counts on in between.
        ((41, 44), 43, True),
        ((41, None), 50, True),
        ((None, 5), None, True),
        ((None, 5), 6, False),
    ],
)
def test_what_is_found_must_lie_between(
    expected: tuple[int | None, int | None], found: int | None, is_accepted: bool
) -> None:
    """At least the one that surely was committed, and none that surely was not."""
    assert tried(**_expected(*expected)).accepts(found) is is_accepted


def _put(environment: Environment, segment: WalSegment, marks: tuple[WalMark, ...]) -> None:
    _record(environment, WalPiece.segment(SYSTEM, segment.name), end_lsn=str(segment.end), marks=marks)


def _put_history(environment: Environment, timeline: int, switches: tuple[tuple[int, str], ...]) -> None:
    _record(environment, WalPiece.history(SYSTEM, timeline), switches=switches)


def _record(environment: Environment, piece: WalPiece, **more: object) -> None:
    record = WalRecord.model_validate(
        {
            "kind": piece.kind,
            "system_identifier": SYSTEM,
            "timeline": piece.timeline,
            "name": piece.name,
            "segment_bytes": MIB,
            "server_version_num": 180_000,
            "bytes": MIB,
            "sha256": "0" * 64,
            "end_lsn": None,
            "received_at": NOON,
            **more,
        }
    )
    environment.wal_catalog.write_record(piece, record, environment.signer())
    environment.store.put(environment.wal_catalog.key(piece), [b"x"])


@pytest.mark.parametrize("second", [0.7, 5, 10.7, 19, 20.7, 31, 40.6, 60])
def test_the_marks_are_found_whatever_segment_they_lie_in(make_site: MakeSite, second: float) -> None:
    """Some segments hold several, some none; the oldest needed lies before the base backup's start."""
    seconds = {0: 3, 10: 8, 20: 8, 30: 17, 40: 29}
    marks: dict[int, list[WalMark]] = {}
    for number, (at, segment) in enumerate(seconds.items(), start=1):
        marks.setdefault(segment, []).append(_mark(number, at, lsn=segment * MIB + number))
    environment = make_site("postgresql://nobody@127.0.0.1:1/shop").environment()
    for number in range(3, 34):
        _put(environment, WalSegment(1, number, MIB), tuple(marks.get(number, ())))
    base = SimpleNamespace(system_identifier=SYSTEM, segment_bytes=MIB, start_lsn=str(WalSegment(1, 5, MIB).start))
    plan = SimpleNamespace(base=base, window=SimpleNamespace(end_lsn=WalSegment(1, 33, MIB).end), timeline=1)
    every = [mark for number in sorted(marks) for mark in marks[number]]

    assert expected_marks(environment, plan, _at(second)) == around(every, _at(second))  # type: ignore[arg-type]


def test_marks_of_a_timeline_that_was_left_do_not_count(make_site: MakeSite) -> None:
    """After a failover the old primary may have gone on counting: other marks bear the same numbers."""
    environment = make_site("postgresql://nobody@127.0.0.1:1/shop").environment()
    left, size = WalSegment(1, 6, MIB).start + 1000, MIB
    shared = _mark(1, 0, lsn=WalSegment(1, 5, size).start.value + 10)
    lost = [_mark(2, 10, lsn=left.value + 500), _mark(3, 20, lsn=WalSegment(1, 7, size).start.value + 10)]
    kept = _mark(2, 15, lsn=left.value + 700)
    for timeline, number, marks in ((1, 5, [shared]), (1, 6, lost[:1]), (1, 7, lost[1:]), (2, 6, [kept]), (2, 7, [])):
        _put(environment, WalSegment(timeline, number, size), tuple(marks))
    _put_history(environment, 2, ((1, str(left)),))
    base = SimpleNamespace(system_identifier=SYSTEM, segment_bytes=size, start_lsn=str(WalSegment(1, 5, size).start))
    window = SimpleNamespace(end_lsn=WalSegment(2, 7, size).end)

    found = expected_marks(environment, SimpleNamespace(base=base, window=window, timeline=2), _at(21))  # type: ignore[arg-type]
    before = expected_marks(environment, SimpleNamespace(base=base, window=window, timeline=2), _at(12))  # type: ignore[arg-type]

    assert (found.surely, found.too_late) == (PitrMark(number=2, at=kept.at, seen_at=kept.seen_at), None)
    assert before.surely is not None and before.surely.number == 1
    assert before.too_late is not None and before.too_late.at == kept.at


def _at(second: float) -> datetime:
    return NOON + timedelta(seconds=second)
