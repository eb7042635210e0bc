"""Retention of base backups and WAL keeps what may never be lost, whatever the clock says, and leaves no gap."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from holdfast.retention.base_backups import BaseBackup, BaseBackupRules, clusters_in_use, decide_base_backups
from holdfast.retention.wal import Needs, Piece, WalRules, decide_wal, last_received, obstacle
from holdfast.values.duration import Duration
from holdfast.values.ids import RestorePointId
from holdfast.values.wal_names import WalSegment

START = datetime(2026, 1, 1, 4, tzinfo=UTC)
KEEP, WAL_KEEP, GRACE = Duration.parse("14d"), Duration.parse("7d"), Duration.parse("2d")
SYSTEMS = ("71", "72")
MIB = 1 << 20


def _id(day: int) -> RestorePointId:
    return RestorePointId.make(START + timedelta(days=day), "base_backup", str(day))


def _at(day: int) -> datetime:
    return START + timedelta(days=day, seconds=1)


def _base(
    day: int,
    *,
    finished: int | None = None,
    stored: int | None = None,
    system: str = SYSTEMS[0],
    timeline: int = 1,
    chain: tuple[int, ...] = (),
    held: bool = False,
    trusted: bool = True,
    whole: bool = True,
    wal: bool = True,
) -> BaseBackup:
    stored_at = _at(day if stored is None else stored)
    if not trusted:
        return BaseBackup(_id(day), stored_at, held, False, _id(day).opened_at)
    return BaseBackup(
        _id(day),
        stored_at,
        held,
        True,
        _at(day if finished is None else finished),
        system,
        WalSegment(timeline, day + 1, MIB),
        tuple(_id(parent) for parent in chain),
        whole,
        wal,
    )


def _rules(keep: Duration | None = KEEP, wal_keep: Duration | None = WAL_KEEP, **last: int) -> BaseBackupRules:
    return BaseBackupRules(keep, wal_keep, None, {name[1:]: _at(day) for name, day in last.items()})


def _kept(bases: list[BaseBackup], rules: BaseBackupRules, day: int) -> set[RestorePointId]:
    now = START + timedelta(days=day)
    return {decision.id for decision in decide_base_backups(bases, rules, now) if decision.keep}


days = st.integers(0, 200)
bases = st.lists(
    st.builds(
        _base,
        days,
        finished=st.none() | days,
        stored=st.none() | days,
        system=st.sampled_from(SYSTEMS),
        timeline=st.integers(1, 3),
        chain=st.lists(days, max_size=3, unique=True).map(lambda found: tuple(sorted(found))),
        held=st.booleans(),
        trusted=st.sampled_from([True, True, True, False]),
        whole=st.sampled_from([True, True, False]),
        wal=st.sampled_from([True, True, False]),
    ),
    unique_by=lambda base: base.id,
    max_size=12,
)
clocks = st.datetimes(datetime(1980, 1, 1), datetime(2150, 1, 1), timezones=st.just(UTC))
base_rules = st.builds(
    BaseBackupRules,
    st.sampled_from([KEEP, None]),
    st.sampled_from([WAL_KEEP, None]),
    st.sampled_from([None, *SYSTEMS]),
    st.dictionaries(st.sampled_from(SYSTEMS), days.map(_at)),
)


@given(bases, base_rules, clocks)
def test_base_backups_that_may_never_go_stay(found: list[BaseBackup], rules: BaseBackupRules, now: datetime) -> None:
    """The newest of each cluster in use by each clock, held, untrusted, what these build on, and the young."""
    decisions = {decision.id: decision for decision in decide_base_backups(found, rules, now)}
    assert set(decisions) == {base.id for base in found}
    by_id = {base.id: base for base in found}
    for base in found:
        decision = decisions[base.id]
        assert decision.reason
        if decision.keep:
            assert all(decisions[parent].keep for parent in base.chain if parent in by_id)
            continue
        assert base.is_trusted and not base.is_held and rules.keep is not None
        assert base.taken_at < rules.keep.before(now)
        assert not any(other.id > base.id for other in found if not other.is_trusted)
    recoverable = [base for base in found if base.is_recoverable]
    if not recoverable:
        assert all(decision.keep for decision in decisions.values())
        return
    assert any(decisions[base.id].keep for base in recoverable)
    in_use = clusters_in_use(found, rules)
    for system in in_use & {base.system_identifier for base in recoverable}:
        own = [base for base in recoverable if base.system_identifier == system]
        assert decisions[max(own, key=lambda base: (base.taken_at, base.id)).id].keep
        assert decisions[max(own, key=lambda base: (base.taken_at_least, base.id)).id].keep
        assert decisions[max(own, key=lambda base: (base.stored_at, base.id)).id].keep


@given(bases, base_rules, clocks)
def test_some_cluster_with_a_window_is_always_in_use(
    found: list[BaseBackup], rules: BaseBackupRules, now: datetime
) -> None:
    """Two clusters never replace each other, so that one of those that can be recovered is never given up."""
    recoverable = {base.system_identifier for base in found if base.is_recoverable}
    if recoverable:
        assert recoverable & clusters_in_use(found, rules)


def test_span_and_the_days_of_wal() -> None:
    """Weekly base backups of which 14 days are kept: older ones go; of one day, the last before the WAL's span."""
    weekly = [_base(day) for day in (0, 7, 14, 21)]
    assert _kept(weekly, _rules(_71=22), 22) == {_id(14), _id(21)}
    assert _kept(weekly, _rules(Duration.parse("1d"), _71=22), 22) == {_id(14), _id(21)}
    assert _kept(weekly, _rules(Duration.parse("1d"), _71=29), 29) == {_id(21)}
    assert _kept(weekly, _rules(None, _71=29), 900) == {base.id for base in weekly}


def test_last_days_of_a_replaced_cluster_stay_recoverable() -> None:
    """Its last base backup stays as long as there is WAL of the span behind it, though another has taken its place."""
    found = [_base(0), _base(30, system="72")]
    assert _kept(found, _rules(_71=29, _72=31), 31) == {_id(0), _id(30)}
    assert _kept(found, _rules(_71=29, _72=40), 40) == {_id(30)}


def test_newest_counts_only_if_it_can_be_recovered() -> None:
    """Neither without its WAL nor in pieces, nor where what it builds on is not whole."""
    found = [_base(0), _base(1, wal=False), _base(2, whole=False), _base(3, trusted=False)]
    assert _kept(found[:3], _rules(_71=0), 400) == {_id(0)}
    assert _kept(found, _rules(_71=0), 400) == {base.id for base in found}  # whatever the untrusted one needs


def test_a_base_backup_that_cannot_be_deleted_keeps_its_chain() -> None:
    """Such as one that the store locks."""
    found = [_base(0), _base(1, chain=(0,)), _base(50)]
    decisions = decide_base_backups(found, _rules(_71=50), START + timedelta(days=400), {_id(1): "locked"})
    assert [(decision.keep, decision.reason) for decision in decisions[:2]] == [
        (True, f"the incremental base backup {_id(1)} builds on it"),
        (True, "locked"),
    ]


def _name(number: int, timeline: int = 1) -> str:
    return WalSegment(timeline, number, MIB).name


def _piece(timeline: int, number: int | None, end: int | None, day: int, has_object: bool, has_record: bool) -> Piece:
    segment = None if number is None else _name(number, timeline)
    kept_end = None if number is None else end
    return Piece(timeline, segment, kept_end, _at(day), has_object or not has_record, has_record)


pieces = st.lists(
    st.builds(
        _piece,
        st.integers(1, 3),
        st.none() | st.integers(0, 40),
        st.none() | st.sampled_from([4096, 8192]),
        st.integers(0, 60),
        st.sampled_from([True, True, True, False]),
        st.sampled_from([True, True, True, False]),
    ),
    unique_by=lambda piece: (piece.place, piece.end),
    max_size=40,
)
starts = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 40)), max_size=3)


@given(pieces, starts, st.sampled_from([WAL_KEEP, None]), clocks, st.none() | st.integers(0, 60))
def test_wal_that_is_needed_or_young_stays_and_what_stays_is_contiguous(
    found: list[Piece], starts: list[tuple[int, int]], keep: Duration | None, now: datetime, received: int | None
) -> None:
    """Nothing from a base backup's start on goes but what more is stored of; the rest goes from the outside in."""
    needs = Needs(tuple((timeline, _name(number, timeline)) for timeline, number in starts))
    moment = None if received is None else _at(received)
    leaving = decide_wal(found, needs, WalRules(keep, GRACE, now), lambda piece: moment)
    assert keep is not None or not leaving.expired
    gone = {*leaving.expired, *leaving.superseded, *leaving.remnants}
    assert len(gone) == len(leaving.expired) + len(leaving.superseded) + len(leaving.remnants)
    for piece in leaving.expired:
        assert not needs.include_piece(piece)
        assert keep is not None and piece.written_at < keep.before(now)
        assert moment is None or not piece.has_record or moment < keep.before(now)
    expired = set(leaving.expired)
    for timeline in (1, 2, 3):
        own = sorted((piece for piece in found if piece.timeline == timeline), key=lambda piece: piece.place)
        last = max((piece.place for piece in own if piece in expired), default=None)
        assert all(piece in expired for piece in own if last is not None and piece.place < last)
        # A history file is not outlived by WAL of its timeline.
        if any(piece in expired for piece in own if piece.segment is None):
            assert all(piece in expired for piece in own)
    for piece in leaving.superseded:
        assert any(
            other.place == piece.place and other.is_stored and (other.end or MIB) > (piece.end or MIB)
            for other in found
            if other not in gone
        )
    for piece in leaving.remnants:
        assert not piece.is_stored and piece.written_at < GRACE.before(now)
        assert piece.has_record or not needs.include_piece(piece)
        assert any(other.is_stored and other.place > piece.place for other in found)
        # Whatever the host's clock says: the store has received WAL that much later.
        assert any(other.is_stored and GRACE.before(other.written_at) > piece.written_at for other in found)
    assert all(not piece.has_record and piece not in gone for piece in leaving.unrecorded)


def test_few_records_are_asked_for_when_wal_came() -> None:
    """Of a thousand old segments, no more than tell where the old ones end, though the store's clock was behind."""
    asked: list[Piece] = []
    found = [Piece(1, _name(number), None, _at(0)) for number in range(1000)]

    def received_at(piece: Piece) -> datetime:
        asked.append(piece)
        return _at(int((piece.segment or "")[16:], 16))

    now = START + timedelta(days=407)
    leaving = decide_wal(found, Needs(), WalRules(WAL_KEEP, GRACE, now), received_at)
    assert list(leaving.expired) == found[:400]
    assert len(asked) < 15


def test_later_timelines_are_needed_and_earlier_ones_are_not() -> None:
    """A base backup of timeline 2 needs from its start on what is of 2 and 3, and their histories."""
    needs = Needs.of([_base(9, timeline=2)])
    assert needs.include(2, _name(10, 2)) and needs.include(3, _name(11, 3))
    assert not needs.include(2, _name(9, 2)) and not needs.include(1, _name(30, 1))
    assert needs.include_history(2) and needs.include_history(3) and not needs.include_history(1)


def test_what_stands_in_the_way_of_deleting_wal() -> None:
    """A base backup that nobody can read, or none at all of a cluster in use."""
    assert obstacle("71", [_base(0)], {"71"}) is None
    assert "cannot be trusted" in (obstacle("71", [_base(0), _base(1, trusted=False)], {"71"}) or "")
    assert "no base backup" in (obstacle("71", [_base(0, wal=False)], {"71"}) or "")
    assert obstacle("71", [_base(0, system="72")], {"72"}) is None
    assert last_received([Piece(1, _name(0), None, _at(3)), Piece(1, _name(1), None, _at(9), has_object=False)]) == _at(
        3
    )
