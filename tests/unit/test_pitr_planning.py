"""Which base backup a target is recovered from, and what is answered where there is none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from holdfast.catalog.windows import Coverage, Gap, Window
from holdfast.errors import RestoreError, UsageError
from holdfast.manifest.base_backup import BaseBackupManifest
from holdfast.pitr import parse_target
from holdfast.pitr.planning import plan
from holdfast.values.lsn import Lsn

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SYSTEM = "7711042564058535554"


def at(hours: float) -> datetime:
    return NOON + timedelta(hours=hours)


def base(id: str, hours: float, lsn: int, *, parent: str | None = None, timeline: int = 1) -> BaseBackupManifest:
    return BaseBackupManifest(
        id=id,
        app="shop",
        environment="production",
        kind="incremental" if parent else "full",
        parent=parent,
        chain=(parent,) if parent else (),
        holdfast_version="1",
        client_version="18.1",
        server_version="18.1",
        server_version_num=180001,
        system_identifier=SYSTEM,
        timeline=timeline,
        start_lsn=str(Lsn(lsn - 10)),
        stop_lsn=str(Lsn(lsn)),
        segment_bytes=1 << 20,
        has_checksums=True,
        superuser="postgres",
        settings={},
        started_at=at(hours - 0.1),
        finished_at=at(hours),
        files=1,
        data_bytes=1,
        artifacts=(),
    )


def window(
    id: str, begin: float, end: float | None, lsns: tuple[int, int], timeline: int = 1, system: str = SYSTEM
) -> Window:
    ends_at = None if end is None else at(end)
    return Window(timeline, at(begin), ends_at, Lsn(lsns[0]), Lsn(lsns[1]), id, system)


# From a, three hours; then a gap of two; then from b and an incremental c, five hours.
GAP = Gap(SYSTEM, 1, "000000010000000000000004", "000000010000000000000005", Lsn(300), Lsn(500), at(3), at(4))
COVERAGE = Coverage(
    windows=(window("a", 0, 3, (100, 300)), window("b", 5, 10, (500, 1000)), window("c", 7, 10, (700, 1000))),
    gaps=(GAP,),
    base_backups=(base("a", 0, 100), base("b", 5, 500), base("c", 7, 700, parent="b")),
)


def planned(coverage: Coverage = COVERAGE, *, timeline: int | None = None, **target: object) -> str:
    return plan(coverage, parse_target(**target), timeline=timeline).base.id  # type: ignore[arg-type]


def test_the_newest_base_backup_that_ended_before_the_target_is_taken() -> None:
    """Its chain comes with it; the very end of a base backup is the first instant that it serves."""
    assert planned(to=at(1).isoformat()) == "a"
    assert planned(to=at(6).isoformat()) == "b"
    assert planned(to=at(7).isoformat()) == "c"
    found = plan(COVERAGE, parse_target(to=at(9).isoformat()))
    assert [one.id for one in found.chain] == ["b"]
    assert planned(to_lsn=str(Lsn(650))) == "b"
    assert planned(to_lsn=str(Lsn(1000))) == "c"
    assert planned(latest=True) == "c"


def test_a_target_before_the_first_base_backup_is_told_the_nearest_instant() -> None:
    """In the zone that was asked in."""
    with pytest.raises(UsageError, match="before the end of the oldest base backup, a") as refused:
        planned(to="2026-11-22T12:59:59+01:00")
    assert "2026-11-22T13:00:00+01:00" in (refused.value.hint or "")


def test_a_target_after_the_last_wal_is_not_the_latest() -> None:
    """It is refused, and the last instant is told."""
    with pytest.raises(UsageError, match="after the last WAL") as refused:
        planned(to=at(10.1).isoformat())
    assert at(10).isoformat() in (refused.value.hint or "")
    assert "--latest" in (refused.value.hint or "")


def test_a_target_in_a_gap_is_told_the_gap_and_both_of_its_sides() -> None:
    """Also where WAL is there again, but no base backup yet."""
    for hours in (3.5, 4.5):
        with pytest.raises(UsageError, match="in a gap: WAL 000000010000000000000004 to 0000000100") as refused:
            planned(to=at(hours).isoformat())
        assert at(3).isoformat() in (refused.value.hint or "")
        assert at(5).isoformat() in (refused.value.hint or "")
    with pytest.raises(UsageError, match="LSN 0/190: no window holds it"):
        planned(to_lsn=str(Lsn(400)))


def test_a_name_may_lie_in_any_window_of_the_newest_stretch() -> None:
    """The newest base backup is tried first."""
    found = plan(COVERAGE, parse_target(to_name="before"))
    assert [found.base.id, *(other.base.id for other in found.others)] == ["c", "b"]


def test_an_incremental_base_backup_without_its_parent_is_of_no_use() -> None:
    """An older one that is whole is taken instead."""
    broken = Coverage(COVERAGE.windows, COVERAGE.gaps, (base("a", 0, 100), base("c", 7, 700, parent="b")))
    assert planned(broken, latest=True) == "a"
    with pytest.raises(RestoreError, match="no base backup"):
        planned(Coverage((), (), ()), latest=True)


def test_the_newest_timeline_is_followed_unless_another_is_named() -> None:
    """After a failover both may go on."""
    both = Coverage(
        (window("a", 0, 3, (100, 300)), window("a", 0, 9, (100, 900), timeline=2)), (), (base("a", 0, 100),)
    )
    assert plan(both, parse_target(to=at(1).isoformat())).timeline == 2
    assert plan(both, parse_target(latest=True), timeline=1).window.end_lsn == Lsn(300)
    with pytest.raises(UsageError, match="timeline 3"):
        planned(both, latest=True, timeline=3)


def test_wal_behind_a_gap_is_told_with_the_latest() -> None:
    """What `latest` does not reach must not stay unsaid."""
    coverage = Coverage((window("a", 0, 3, (100, 300)),), (GAP,), (base("a", 0, 100),))
    assert "000000010000000000000004 is missing" in plan(coverage, parse_target(latest=True)).notes[0]


def test_a_window_without_known_end_serves_no_instant() -> None:
    """But positions, and the latest."""
    coverage = Coverage((window("a", 0, None, (100, 300)),), (), (base("a", 0, 100),))
    assert planned(coverage, latest=True) == "a"
    with pytest.raises(UsageError, match="after the last WAL"):
        planned(coverage, to=at(1).isoformat())


def test_a_time_without_an_offset_is_refused_with_the_same_time_as_example() -> None:
    """It could be any of several instants."""
    with pytest.raises(UsageError, match="no UTC offset") as refused:
        parse_target(to="2026-11-22 14:30:00")
    assert "2026-11-22T14:30:00+01:00" in (refused.value.hint or "")
    with pytest.raises(UsageError, match="not a time"):
        parse_target(to="yesterday")


@pytest.mark.parametrize(
    "given", [{}, {"to": "2026-11-22T14:30:00Z", "latest": True}, {"to_name": ""}, {"to_lsn": "16"}]
)
def test_anything_but_one_target_is_refused(given: dict[str, object]) -> None:
    """None, several, an empty name, half an LSN."""
    with pytest.raises(UsageError):
        parse_target(**given)  # type: ignore[arg-type]


def test_times_are_handed_over_in_utc() -> None:
    """The server reads a numeric offset as is."""
    settings = parse_target(to="2026-11-22T14:30:00.5+05:30").settings()
    assert settings["recovery_target_time"] == "2026-11-22 09:00:00.500000+00"


def test_an_instant_that_two_timelines_have_is_told() -> None:
    """The newest is followed, unless another is named; neither is silent."""
    both = Coverage(
        windows=(window("a", 0, 3, (100, 300), 2), window("a", 0, 4, (100, 400), 3)),
        gaps=(),
        base_backups=(base("a", 0, 100),),
    )
    found = plan(both, parse_target(to=at(2).isoformat()))
    assert found.timeline == 3
    assert "timeline 2 has that instant as well" in " ".join(found.notes)
    named = plan(both, parse_target(to=at(2).isoformat()), timeline=2)
    assert (named.timeline, named.notes) == (2, ())
    assert plan(both, parse_target(to=at(3.5).isoformat())).notes == ()


def test_an_instant_of_an_earlier_cluster_is_recovered_from_it() -> None:
    """A server was replaced: the new one is meant wherever it can be, positions are never looked for in the old."""
    new = "7711042564058539999"
    replaced = Coverage(
        windows=(window("a", 0, 6, (100, 900), timeline=5), window("z", 5, 9, (150, 200), system=new)),
        gaps=(),
        base_backups=(base("a", 0, 100, timeline=5), base("z", 5, 150)),
    )
    for pinned in (new, None):
        old = plan(replaced, parse_target(to=at(2).isoformat()), system_identifier=pinned)
        assert (old.base.id, old.window.system_identifier) == ("a", SYSTEM)
        assert old.notes == (f"recovered is the earlier cluster {SYSTEM}, not {new}",)
        shared = plan(replaced, parse_target(to=at(5.5).isoformat()), system_identifier=pinned)
        assert (shared.base.id, shared.notes) == ("z", ())
        assert plan(replaced, parse_target(latest=True), system_identifier=pinned).base.id == "z"
    with pytest.raises(UsageError):
        plan(replaced, parse_target(to_lsn=str(Lsn(800))), system_identifier=new)
