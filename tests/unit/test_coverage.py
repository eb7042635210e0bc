"""What `pitr window` says of a store: windows, gaps, instants, and what cannot be trusted."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from fix_environment import MakeSite, Site
from holdfast.backup.base.parent import committed
from holdfast.catalog import WalPiece
from holdfast.catalog.drafts import read_draft
from holdfast.catalog.wal_checks import WalCheckCatalog
from holdfast.catalog.windows import Coverage, read_coverage
from holdfast.cli.window_bar import Signs, bars
from holdfast.crypto.signing import Signer
from holdfast.environment import Environment
from holdfast.manifest.wal import WalCheck, WalRecord
from holdfast.values.ids import RestorePointId
from holdfast.values.wal_names import WalSegment
from wal_factory import SIZE, SYSTEM, WalFactory, minute


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    """A site whose database is never asked for."""
    return make_site("postgresql://nobody@127.0.0.1:1/none")


@pytest.fixture
def environment(site: Site) -> Environment:
    return site.environment()


@pytest.fixture
def wal(environment: Environment) -> WalFactory:
    return WalFactory(environment)


def _coverage(environment: Environment, *, with_identities: bool = False) -> Coverage:
    identities = environment.identities() if with_identities else None
    return read_coverage(environment.wal_catalog, environment.base_catalog, environment.verifier(), identities)


def _windows(coverage: Coverage) -> list[tuple[object, object, object]]:
    found = coverage.as_json()["windows"]
    assert isinstance(found, list)
    return [(one["from"], one["to"], one["timeline"]) for one in found]


def _name(number: int, timeline: int = 1) -> str:
    return WalSegment(timeline, number, SIZE).name


def _iso(number: float) -> str:
    return minute(number).isoformat()


def test_window_goes_from_the_base_backup_to_the_newest_partial_piece(
    environment: Environment, wal: WalFactory
) -> None:
    """Two base backups on one stretch of WAL are one window, from the older one's end."""
    wal.segments(2, 6)
    wal.partial(7, SIZE * 3 // 4)
    first = wal.base(wal.at(2.25), wal.at(2.5))
    second = wal.base(wal.at(5.25), wal.at(5.5))
    found = _coverage(environment)
    assert _windows(found) == [(_iso(2.5), _iso(7.5), 1)]
    assert found.as_json()["gaps"] == []
    assert found.stretches[0].base_backups == (first, second)
    assert [window.end_lsn for window in found.windows] == [wal.at(7.75)] * 2
    assert not found.faults


def test_mark_behind_the_end_is_no_instant_of_the_window(environment: Environment, wal: WalFactory) -> None:
    """The beginning of a segment ends before the mark that the whole one would have."""
    wal.segments(2, 3)
    wal.partial(4, SIZE // 4)
    wal.base(wal.at(2.25), wal.at(2.5))
    assert _windows(_coverage(environment)) == [(_iso(2.5), _iso(3.5), 1)]


def test_window_without_marks_has_no_known_end(environment: Environment, wal: WalFactory) -> None:
    """Nothing is guessed of when it was received."""
    for number in (2, 3):
        wal.segment(number, marked=False)
    wal.base(wal.at(2.25), wal.at(2.5))
    assert _windows(_coverage(environment)) == [(_iso(2.5), None, 1)]


def test_mark_is_found_behind_segments_that_have_none(environment: Environment, wal: WalFactory) -> None:
    """Under load many segments fill between two marks."""
    wal.segments(2, 3)
    for number in range(4, 24):
        wal.segment(number, marked=False)
    wal.base(wal.at(2.25), wal.at(2.5))
    assert _windows(_coverage(environment)) == [(_iso(2.5), _iso(3.5), 1)]


def test_missing_segment_is_a_gap_between_two_windows(environment: Environment, wal: WalFactory) -> None:
    """With the instants around it; what lies behind waits for the next base backup."""
    wal.segments(2, 4)
    wal.segments(7, 12)
    wal.base(wal.at(2.25), wal.at(2.5))
    wal.base(wal.at(9.25), wal.at(9.5))
    found = _coverage(environment)
    assert _windows(found) == [(_iso(2.5), _iso(4.5), 1), (_iso(9.5), _iso(12.5), 1)]
    gaps = found.as_json()["gaps"]
    assert isinstance(gaps, list)
    (gap,) = gaps
    assert (gap["first"], gap["last"], gap["timeline"]) == (_name(5), _name(6), 1)
    assert (gap["from"], gap["to"]) == (_iso(4.5), _iso(7.5))


def test_wal_before_the_oldest_base_backup_has_no_gaps(environment: Environment, wal: WalFactory) -> None:
    """Nothing needs it."""
    wal.segment(1)
    wal.segments(4, 6)
    wal.base(wal.at(4.25), wal.at(4.5))
    assert not _coverage(environment).gaps


def test_piece_without_record_or_object_is_not_there(environment: Environment, wal: WalFactory) -> None:
    """It is stored if and only if both stand."""
    wal.segments(2, 8)
    wal.base(wal.at(2.25), wal.at(2.5))
    catalog = environment.wal_catalog
    environment.store.delete(catalog.record_key(WalPiece.segment(SYSTEM, _name(4))))
    environment.store.delete(catalog.key(WalPiece.segment(SYSTEM, _name(6))))
    assert [gap.first for gap in _coverage(environment).gaps] == [_name(4), _name(6)]


def test_failover_is_one_window(environment: Environment, wal: WalFactory) -> None:
    """The last segment of the old timeline is there in part, or not at all, where the new one has its copy."""
    wal.segments(2, 4)
    wal.history(2, (1, wal.at(5.25)))
    wal.segments(5, 7, timeline=2)
    base = wal.base(wal.at(2.25), wal.at(2.5))
    assert _windows(_coverage(environment)) == [(_iso(2.5), _iso(7.5), 2)]
    wal.partial(5, SIZE // 4)
    found = _coverage(environment)
    assert _windows(found) == [(_iso(2.5), _iso(7.5), 2)]
    assert (found.gaps, found.faults, found.stretches[0].base_backups) == ((), (), (base,))


def test_timelines_that_both_went_on_are_two_windows(environment: Environment, wal: WalFactory) -> None:
    """Recovered back to an instant, while the old server's later WAL is stored as well."""
    wal.segments(2, 8)
    wal.history(2, (1, wal.at(4.25)))
    wal.segments(4, 6, timeline=2)
    wal.base(wal.at(2.25), wal.at(2.5))
    assert _windows(_coverage(environment)) == [(_iso(2.5), _iso(8.5), 1), (_iso(2.5), _iso(6.5), 2)]


def test_base_backup_behind_a_switch_leads_only_to_its_own_timeline(environment: Environment, wal: WalFactory) -> None:
    """It holds what the other timeline never had."""
    wal.segments(2, 8)
    wal.history(2, (1, wal.at(4.25)))
    wal.segments(4, 6, timeline=2)
    wal.base(wal.at(5.25), wal.at(5.5))
    found = _coverage(environment)
    assert _windows(found) == [(_iso(5.5), _iso(8.5), 1)]
    assert any("timeline 2" in note and "no base backup" in note for note in found.notes)


def test_history_without_switches_in_its_record_is_decrypted(environment: Environment, wal: WalFactory) -> None:
    """Where an identity is at hand; else it is said."""
    wal.segments(2, 4)
    wal.history(2, (1, wal.at(5.25)), recorded=False)
    wal.segments(5, 7, timeline=2)
    wal.base(wal.at(2.25), wal.at(2.5))
    assert _windows(_coverage(environment, with_identities=True)) == [(_iso(2.5), _iso(7.5), 2)]
    found = _coverage(environment)
    assert _windows(found) == [(_iso(2.5), _iso(4.5), 1)]
    assert any("00000002.history" in fault for fault in found.faults)


def test_missing_history_is_a_fault(environment: Environment, wal: WalFactory) -> None:
    """Without it no server finds the way."""
    wal.segments(2, 4)
    wal.segments(5, 7, timeline=2)
    wal.base(wal.at(2.25), wal.at(2.5))
    found = _coverage(environment)
    assert _windows(found) == [(_iso(2.5), _iso(4.5), 1)]
    assert any("timeline 2" in fault and "history" in fault for fault in found.faults)


def test_wal_of_a_cluster_without_base_backup_is_said(environment: Environment, wal: WalFactory) -> None:
    """It serves nothing, and is no gap."""
    wal.segments(2, 3)
    wal.base(wal.at(2.25), wal.at(2.5))
    other = WalFactory(environment, system="7430000000000000002")
    other.segments(2, 4)
    found = _coverage(environment)
    assert _windows(found) == [(_iso(2.5), _iso(3.5), 1)]
    assert not found.gaps
    assert any("7430000000000000002" in note for note in found.notes)


def test_two_clusters_have_windows_of_their_own(environment: Environment, wal: WalFactory) -> None:
    """Though their WAL has the same names."""
    wal.segments(2, 3)
    wal.base(wal.at(2.25), wal.at(2.5))
    other = WalFactory(environment, system="7430000000000000002")
    other.segments(3, 6)
    other.base(other.at(3.25), other.at(3.5))
    found = _coverage(environment)
    assert [(one.system_identifier, one.ends_at) for one in found.stretches] == [
        (SYSTEM, minute(3.5)),
        ("7430000000000000002", minute(6.5)),
    ]


def test_empty_store_has_no_windows(environment: Environment) -> None:
    """And no faults."""
    assert _coverage(environment).as_json() == {
        "windows": [],
        "gaps": [],
        "base_backups": [],
        "faults": [],
        "notes": [],
    }


def test_incremental_needs_all_that_it_builds_on(environment: Environment, wal: WalFactory) -> None:
    """One whose parent is gone or damaged is no base backup to recover from."""
    wal.segments(2, 9)
    full = wal.base(wal.at(2.25), wal.at(2.5))
    incremental = wal.base(wal.at(6.25), wal.at(6.5), chain=[full])
    assert [base.id for base in _coverage(environment).base_backups] == [full, incremental]
    environment.store.delete(environment.keys.base_backup(RestorePointId.parse(full), "base.tar.zst.age"))
    found = _coverage(environment)
    assert found.base_backups == ()
    assert [fault.split(":")[0] for fault in found.faults] == [f"base backup {full}", f"base backup {incremental}"]


def test_base_backups_of_one_second_are_in_the_order_they_were_taken(environment: Environment, wal: WalFactory) -> None:
    """Their ids sort by chance then; one built on a parent that is gone is never taken for whole."""
    wal.segments(2, 9)
    chain: list[str] = []
    for number in range(5):
        start = 2.1 + number / 10
        chain.append(wal.base(wal.at(start), wal.at(start + 0.05), at=minute(5), chain=tuple(chain)))
    assert chain != sorted(chain), "by their ids they would be in order here, and nothing tried"
    assert [base.id for base in _coverage(environment).base_backups] == chain
    assert [base.id for base in committed(environment)] == chain
    environment.store.delete(environment.keys.base_backup(RestorePointId.parse(chain[0]), "base.tar.zst.age"))
    assert _coverage(environment).base_backups == ()


def test_base_backup_without_its_wal_cannot_be_used(environment: Environment, wal: WalFactory) -> None:
    """The segment that holds its stop is missing."""
    wal.segments(2, 3)
    base = wal.base(wal.at(2.25), wal.at(4.5))
    found = _coverage(environment)
    assert not found.windows
    assert [(gap.first, gap.last) for gap in found.gaps] == [(_name(4), _name(4))]
    assert any(base in fault for fault in found.faults)


def test_record_that_was_forged_ends_the_window(environment: Environment, wal: WalFactory) -> None:
    """What it says of the last piece counts for nothing, and it is named."""
    wal.segments(2, 5)
    wal.base(wal.at(2.25), wal.at(2.5))
    piece = WalPiece.segment(SYSTEM, _name(6))
    content = wal.content(WalSegment(1, 6, SIZE), SIZE)
    environment.wal_catalog.write_record(piece, wal.record(piece, content), Signer.generate())
    wal.put(piece, content)
    found = _coverage(environment)
    assert _windows(found) == [(_iso(2.5), _iso(5.5), 1)]
    assert any(environment.wal_catalog.record_key(piece) in fault for fault in found.faults)


@pytest.mark.parametrize("junk", [b"", b"{}", b"\xff\x00", b'{"payload": "{}", "signature": "!"}'])
def test_record_that_is_none_ends_the_window(environment: Environment, wal: WalFactory, junk: bytes) -> None:
    """Whatever stands there, it is said and nothing breaks."""
    wal.segments(2, 5)
    wal.base(wal.at(2.25), wal.at(2.5))
    key = environment.wal_catalog.record_key(WalPiece.segment(SYSTEM, _name(5)))
    environment.store.delete(key)
    environment.store.put(key, [junk])
    found = _coverage(environment)
    assert _windows(found) == [(_iso(2.5), _iso(4.5), 1)]
    assert any(key in fault for fault in found.faults)


def test_forged_manifest_of_a_base_backup_is_left_out(environment: Environment, wal: WalFactory) -> None:
    """Who can only write to the store makes no base backup."""
    wal.segments(2, 5)
    kept, forged = wal.base(wal.at(2.25), wal.at(2.5)), wal.base(wal.at(3.25), wal.at(3.5))
    key = environment.keys.base_backup(RestorePointId.parse(forged), "manifest.json")
    document = environment.store.get(key)
    environment.store.delete(key)
    environment.store.put(key, [document.replace(b'"postgres"', b'"intruder"')])
    found = _coverage(environment)
    assert [base.id for base in found.base_backups] == [kept]
    assert any(forged in fault for fault in found.faults)


def test_strangers_beside_the_wal_are_left_alone(environment: Environment, wal: WalFactory) -> None:
    """Names that are nobody's, and one that no segment of this size has."""
    wal.segments(2, 3)
    wal.base(wal.at(2.25), wal.at(2.5))
    folder = f"{environment.keys.wal_of(SYSTEM)}00000001/"
    for name in ("notes.txt", "000000010000000000009999.zst.age", "000000010000000000009999.json", "x.json"):
        environment.store.put(folder + name, [b"x"])
    found = _coverage(environment)
    assert _windows(found) == [(_iso(2.5), _iso(3.5), 1)]
    assert [fault for fault in found.faults if "no segment of" in fault]


def test_what_a_check_has_found_damaged_counts_as_missing(environment: Environment, wal: WalFactory) -> None:
    """Until a later check finds it whole."""
    wal.segments(2, 6)
    base = wal.base(wal.at(2.25), wal.at(2.5))
    checks = WalCheckCatalog(environment.store, environment.keys)
    key = environment.wal_catalog.key(WalPiece.segment(SYSTEM, _name(4)))

    def check(minutes: int, *faults: str) -> None:
        at = minute(60 + minutes)
        told = WalCheck(
            id=str(RestorePointId.make(at, "wal_check", "x")),
            app="shop",
            environment="production",
            system_identifier=SYSTEM,
            checked_at=at,
            ranges=(),
            faults=faults,
        )
        checks.write(told, environment.signer())

    check(0, key)
    found = _coverage(environment)
    assert _windows(found) == [(_iso(2.5), _iso(3.5), 1)]
    assert [gap.first for gap in found.gaps] == [_name(4)]
    assert any(key in fault for fault in found.faults)
    check(1)
    assert _windows(_coverage(environment)) == [(_iso(2.5), _iso(6.5), 1)]
    check(2, environment.keys.base_backup(RestorePointId.parse(base), "base.tar.zst.age"))
    assert not _coverage(environment).windows


def test_record_written_by_the_factory_is_read_back(environment: Environment, wal: WalFactory) -> None:
    """The tests' own writer is that of the engine."""
    piece = wal.segment(2)
    record = read_draft(environment.store, environment.wal_catalog.record_key(piece), WalRecord, environment.verifier())
    assert record is not None
    assert (record.name, record.bytes, len(record.marks)) == (_name(2), SIZE, 1)


def test_bar_has_a_cell_for_every_part_of_the_time(environment: Environment, wal: WalFactory) -> None:
    """Covered, missing, base backups and what is not recoverable any more, one line a timeline."""
    wal.segments(0, 4)
    wal.segments(7, 9)
    wal.base(wal.at(0), wal.at(0))
    wal.base(wal.at(7), wal.at(7.5))
    lines = list(bars(_coverage(environment), minute(20), 52, Signs.for_encoding("ascii")))
    assert lines[0] == "timeline 1  " + "#=========" + "x" * 5 + "#====" + "." * 20
    assert lines[1].endswith("now")
    assert len(lines[1]) == 52
    assert next(bars(_coverage(environment), minute(20), 52, Signs.for_encoding("utf-8")))[12] == "◆"


def test_short_gap_is_seen_on_a_long_bar(environment: Environment, wal: WalFactory) -> None:
    """A month would hide it."""
    wal.segments(0, 4)
    wal.segments(6, 9)
    wal.base(wal.at(0), wal.at(0))
    wal.base(wal.at(6), wal.at(6.5))
    now = minute(0) + timedelta(days=30)
    lines = list(bars(_coverage(environment), now, 80, Signs.for_encoding("ascii")))
    assert "x" in lines[0]


def test_window_command_prints_instants_gaps_and_base_backups(
    site: Site, environment: Environment, wal: WalFactory
) -> None:
    """In the environment's time zone; the target for lost data is compared."""
    wal.segments(2, 4)
    wal.segments(6, 8)
    wal.base(wal.at(2.25), wal.at(2.5))
    newest = wal.base(wal.at(6.25), wal.at(6.5))
    site.edit_policy("    database:", "    targets: {rpo: 1h}\n    timezone: Europe/Berlin\n    database:")
    done = site.run("pitr", "window", str(site.policy_file), "production", COLUMNS="90").stdout.decode()
    assert "oldest  2026-11-22 01:02:30+01:00" in done
    assert "newest  2026-11-22 01:08:30+01:00" in done
    assert "RPO of 1h" in done
    assert f"{_name(5)}  timeline 1  1.00 MiB  between 2026-11-22 01:04:30+01:00 and" in done
    assert f"{newest}  full" in done
    plain = site.run("pitr", "window", str(site.policy_file), "production", PYTHONIOENCODING="ascii").stdout
    assert b"timeline 1  " in plain
    found = site.json("pitr", "window", str(site.policy_file), "production")
    assert [one["timeline"] for one in found["windows"]] == [1, 1]
    assert found["newest"] == _iso(8.5)
    assert found["rpo_seconds"] == 3600
    json.dumps(found)


def test_window_command_of_an_empty_store_says_what_to_do(site: Site) -> None:
    """It is no error."""
    done = site.run("pitr", "window", str(site.policy_file), "production")
    assert b"no instant can be recovered" in done.stdout
